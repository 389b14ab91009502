//! What every command shares: errors with a hint, and printing that survives a closed pipe.

use std::fmt::Display;
use std::io::Write;
use std::process::ExitCode;

/// Why a command ended early.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CommandError {
    /// The work failed.
    #[error("{message}")]
    Failed {
        /// What was wrong, and where.
        message: String,
        /// What to do about it.
        hint: Option<String>,
    },
    /// The arguments are well formed but cannot be used together or on this input.
    #[error("{message}")]
    Usage {
        /// What was wrong.
        message: String,
        /// What to do about it.
        hint: Option<String>,
    },
    /// Whoever read our output has gone; nothing is wrong.
    #[error("the reader of the output has gone")]
    BrokenPipe,
}

/// What a command returns.
pub(crate) type Result<T = ()> = std::result::Result<T, CommandError>;

impl CommandError {
    /// A failure without a hint.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self::Failed { message: message.into(), hint: None }
    }

    /// Wrong usage, exit code 2.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::Usage { message: message.into(), hint: None }
    }

    /// Adds what to do next.
    pub(crate) fn hint(self, text: impl Into<String>) -> Self {
        let text = Some(text.into());
        match self {
            Self::Failed { message, .. } => Self::Failed { message, hint: text },
            Self::Usage { message, .. } => Self::Usage { message, hint: text },
            Self::BrokenPipe => Self::BrokenPipe,
        }
    }

    /// Prints the error and says how the process ends.
    pub(crate) fn report(&self) -> ExitCode {
        let (code, hint) = match self {
            Self::BrokenPipe => return ExitCode::SUCCESS,
            Self::Failed { hint, .. } => (1, hint),
            Self::Usage { hint, .. } => (2, hint),
        };
        let mut stderr = std::io::stderr().lock();
        // Nothing is left to tell when stderr itself is closed.
        let _ = writeln!(stderr, "error: {self}");
        if let Some(hint) = hint {
            let _ = writeln!(stderr, "hint: {hint}");
        }
        ExitCode::from(code)
    }
}

impl From<std::io::Error> for CommandError {
    fn from(error: std::io::Error) -> Self {
        if error.kind() == std::io::ErrorKind::BrokenPipe {
            return Self::BrokenPipe;
        }
        Self::new(error.to_string())
    }
}

/// Turns the errors of the crates into [`CommandError`].
pub(crate) trait OrFail<T> {
    /// Keeps the error's own words.
    fn or_fail(self) -> Result<T>;
    /// Puts what was being done before the error's words.
    fn or_fail_while(self, doing: impl Display) -> Result<T>;
}

impl<T, E: Display> OrFail<T> for std::result::Result<T, E> {
    fn or_fail(self) -> Result<T> {
        self.map_err(|e| CommandError::new(e.to_string()))
    }

    fn or_fail_while(self, doing: impl Display) -> Result<T> {
        self.map_err(|e| CommandError::new(format!("{doing}: {e}")))
    }
}

/// Prints text and a line end to stdout.
pub(crate) fn say(text: impl Display) -> Result {
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{text}")?;
    Ok(stdout.flush()?)
}

/// Writes bytes to stdout as they are.
pub(crate) fn emit(bytes: &[u8]) -> Result {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(bytes)?;
    Ok(stdout.flush()?)
}

/// Prints a JSON value to stdout, indented.
pub(crate) fn say_json(value: &impl serde::Serialize) -> Result {
    say(serde_json::to_string_pretty(value).or_fail_while("writing JSON")?)
}

/// Tells a person about progress, on stderr; a closed stderr is no failure.
pub(crate) fn note(text: impl Display) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// Runs a future to its end on this thread.
///
/// One thread, because the processes that `fiel demo` starts die with the thread that started them.
pub(crate) fn block_on<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.or_fail_while("starting the runtime")?.block_on(work)
}

/// A number of things, whose plural ends in `s`: `1 case`, `2 cases`.
pub(crate) fn counted(n: u64, thing: &str) -> String {
    format!("{n} {thing}{}", if n == 1 { "" } else { "s" })
}
