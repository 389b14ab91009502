//! Image files of the field's own writers, files that lie, and laws.

mod hostile_nifti;
mod written_by_others;
