//! Container images that run, decent and hostile ones, with every runtime.

mod batches;
mod bench;
mod corpus;
mod decent;
mod devices;
mod engines;
mod hostile;
mod invoke;
mod machine;
mod starts;
mod stops;
mod traces;
