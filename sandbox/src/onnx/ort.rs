//! The engine that a site may install: onnxruntime, loaded from a library of the site's, on one thread.

use std::borrow::Cow;
use std::ffi::CStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use ort::environment::Environment;
use ort::session::{Session, SessionInputValue};
use ort::sys::OrtApiBase;
use ort::value::{DynValue, PrimitiveTensorElementType, TensorElementType, TensorRef, ValueType};

use super::backend::{Backend, Fact, Names, Tensor, Values, with_numbers};
use crate::confine::require_single_thread;

/// The environment variable that keeps onnxruntime (from 1.29 on) from writing a device number and events below the
/// home folder and `/tmp`; it must be set before the library is loaded.
pub(crate) const QUIET: (&str, &str) = ("ORT_DISABLE_TELEMETRY", "1");

/// The loaded library. Files are needed to load it, so it comes before confinement; it has seen no model then.
pub(crate) struct Library {
    /// As the library tells.
    pub(super) version: String,
}

impl Library {
    /// Loads it.
    pub(crate) fn open(path: &Path) -> Result<Self, String> {
        if std::env::var_os(QUIET.0).is_none_or(|value| value != QUIET.1) {
            return Err(format!("{} is not set to {} in the worker's environment", QUIET.0, QUIET.1));
        }
        ort::init_from(path).map_err(|error| format!("onnxruntime: {error}"))?;
        // Confinement binds the calling thread; a library that had started others would escape it.
        require_single_thread()?;
        Ok(Self { version: version(path)? })
    }

    /// Makes its environment, in confinement; once in a process.
    #[expect(clippy::unused_self, reason = "a library that was loaded is started once")]
    pub(crate) fn start(self) -> Result<Environment, String> {
        ort::init()
            .with_name("fiel")
            .with_telemetry(false)
            .build()
            .map_err(|error| format!("onnxruntime: {error}"))
    }
}

/// What the loaded library says about itself; the crate does not pass it on.
#[expect(unsafe_code, reason = "a C interface")]
fn version(path: &Path) -> Result<String, String> {
    type Base = unsafe extern "C" fn() -> *const OrtApiBase;
    let unreadable = || format!("{} does not tell its version", path.display());
    let name = std::ffi::CString::new(path.as_os_str().as_bytes()).map_err(|_| unreadable())?;
    // SAFETY: with RTLD_NOLOAD this finds the library that was loaded a moment ago and runs none of its code. The
    // function and the structure are onnxruntime's oldest, the same in every version.
    unsafe {
        let library = libc::dlopen(name.as_ptr(), libc::RTLD_NOW | libc::RTLD_NOLOAD);
        if library.is_null() {
            return Err(unreadable());
        }
        let symbol = libc::dlsym(library, c"OrtGetApiBase".as_ptr());
        if symbol.is_null() {
            return Err(unreadable());
        }
        let base = std::mem::transmute::<*mut libc::c_void, Base>(symbol)();
        if base.is_null() {
            return Err(unreadable());
        }
        let text = ((*base).GetVersionString)();
        CStr::from_ptr(text).to_str().map(str::to_owned).map_err(|_| unreadable())
    }
}

/// A model that onnxruntime has loaded.
pub(super) struct Ort {
    session: Session,
    names: Names,
}

impl Ort {
    /// Loads a checked model.
    #[expect(clippy::result_large_err, reason = "the error of the library's own builder")]
    pub(super) fn load(environment: &Environment, model: &[u8], names: Names) -> Result<Self, String> {
        let refused = |error: &dyn std::fmt::Display| format!("onnxruntime cannot run this model: {error}");
        let session = Session::builder(environment)
            .map_err(|error| refused(&error))?
            .with_intra_threads(1)
            .and_then(|builder| builder.with_inter_threads(1))
            .and_then(|builder| builder.with_deterministic_compute(true))
            .map_err(|error| refused(&error))?
            .commit_from_memory(model)
            .map_err(|error| refused(&error))?;
        Ok(Self { session, names })
    }
}

impl Backend for Ort {
    /// A session takes every shape that its model does.
    fn prepare(&mut self, _: &[Fact]) -> Result<(), String> {
        Ok(())
    }

    fn run(&mut self, feeds: &[Tensor]) -> Result<Vec<Tensor>, String> {
        let mut run = || -> ort::Result<Vec<Tensor>> {
            let mut inputs: Vec<(Cow<'_, str>, SessionInputValue<'_>)> = Vec::new();
            for (Tensor { shape, values }, name) in feeds.iter().zip(&self.names.inputs) {
                let value: SessionInputValue<'_> = with_numbers!(values, numbers => {
                    TensorRef::from_array_view((shape.as_slice(), numbers.as_slice()))?.into()
                });
                inputs.push((name.as_str().into(), value));
            }
            let outputs = self.session.run(inputs)?;
            let read_named = |name: &String| {
                read(outputs.get(name).ok_or_else(|| ort::Error::new(format!("no output {name}")))?)
            };
            self.names.outputs.iter().map(read_named).collect()
        };
        run().map_err(|error| error.to_string())
    }
}

/// A tensor that came out.
fn read(value: &DynValue) -> ort::Result<Tensor> {
    fn numbers<T: PrimitiveTensorElementType + Copy>(
        value: &DynValue,
        values: impl FnOnce(Vec<T>) -> Values,
    ) -> ort::Result<Tensor> {
        let (shape, numbers) = value.try_extract_tensor::<T>()?;
        let shape = shape.iter().map(|&size| usize::try_from(size).unwrap_or(0)).collect();
        Ok(Tensor { shape, values: values(numbers.to_vec()) })
    }
    match value.dtype() {
        ValueType::Tensor { ty: TensorElementType::Float32, .. } => numbers(value, Values::F32),
        ValueType::Tensor { ty: TensorElementType::Float64, .. } => numbers(value, Values::F64),
        ValueType::Tensor { ty: TensorElementType::Int32, .. } => numbers(value, Values::I32),
        ValueType::Tensor { ty: TensorElementType::Int64, .. } => numbers(value, Values::I64),
        ValueType::Tensor { ty: TensorElementType::Uint8, .. } => numbers(value, Values::U8),
        other => Err(ort::Error::new(format!("an output is of type {other}, which is not passed on"))),
    }
}
