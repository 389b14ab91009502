//! Processes that `fiel demo` starts, and how they end with it.

use super::output::{CommandError, OrFail, Result};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

/// Hidden argument of the long-running commands: die with the process that started this one.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct ParentArgs {
    /// Process id of the parent; when it ends, this process is killed.
    #[arg(long, hide = true, value_name = "PID")]
    die_with: Option<u32>,
}

impl ParentArgs {
    /// Asks the kernel to kill this process when its parent ends.
    pub(crate) fn follow(&self) -> Result {
        let Some(expected) = self.die_with else { return Ok(()) };
        rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))
            .or_fail_while("binding this process to its parent")?;
        // The parent may have ended before the call; then nobody would send the signal.
        let parent = rustix::process::getppid().map(|p| p.as_raw_nonzero().get().unsigned_abs());
        if parent == Some(expected) {
            return Ok(());
        }
        Err(CommandError::new("the process that started this one has ended"))
    }
}

/// A child process that is killed when it goes out of scope, and by the kernel when this process ends.
#[derive(Debug)]
pub(crate) struct Process {
    name: String,
    log: PathBuf,
    child: Child,
}

impl Process {
    /// Starts this program with other arguments, its output going to a log file.
    pub(crate) fn start<S: AsRef<OsStr>>(name: &str, args: &[S], log: &Path) -> Result<Self> {
        Self::start_with(name, args, &[], log)
    }

    /// The same, with variables added to the environment.
    pub(crate) fn start_with<S: AsRef<OsStr>>(
        name: &str,
        args: &[S],
        environment: &[(&str, &str)],
        log: &Path,
    ) -> Result<Self> {
        let out = fs_err::OpenOptions::new().create(true).append(true).open(log)?;
        let errors = out.try_clone()?;
        let mut command = this_program(args);
        let child = command
            .args(["--die-with", &std::process::id().to_string()])
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(out.into_file())
            .stderr(errors.into_file())
            .spawn()
            .or_fail_while(format!("starting {name}"))?;
        Ok(Self { name: name.into(), log: log.into(), child })
    }

    /// Fails when the process has ended, with the end of its log.
    pub(crate) fn check(&mut self) -> Result {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => Err(self.ended(status)),
        }
    }

    fn ended(&self, status: ExitStatus) -> CommandError {
        let text = fs_err::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        let last = lines[lines.len().saturating_sub(8)..].join("\n  ");
        CommandError::new(format!("{} ended early ({status}); its log ends with\n  {last}", self.name))
            .hint(format!("the whole log is {}", self.log.display()))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only where the process has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// This program with other arguments.
pub(crate) fn this_program<S: AsRef<OsStr>>(args: &[S]) -> Command {
    let mut command = Command::new("/proc/self/exe");
    command.args(args);
    command
}

/// Runs this program to its end and fails unless it succeeded.
pub(crate) fn finish<S: AsRef<OsStr>>(doing: &str, args: &[S]) -> Result {
    let output = this_program(args).stdin(Stdio::null()).output().or_fail_while(doing)?;
    if output.status.success() {
        return Ok(());
    }
    Err(CommandError::new(format!("{doing}: {}", String::from_utf8_lossy(&output.stderr).trim())))
}
