//! Container images that run, decent and hostile ones, with a real runtime.

mod bench;
mod decent;
mod hostile;
mod invoke;
mod machine;
mod outcomes;
mod runtimes;
