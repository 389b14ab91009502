//! CPU time, wall time and peak memory of a repeated computation.

use crate::Values;
use rustix::time::{ClockId, clock_gettime};
use std::error::Error;
use std::time::Instant;

/// The best of several runs and the memory they needed.
pub(crate) struct Measured {
    cpu_s: f64,
    wall_s: f64,
    repeats: usize,
    rss_inputs_bytes: u64,
    rss_peak_bytes: u64,
    input_bytes: usize,
    values: Values,
}

impl Measured {
    /// Runs `work` once to warm up and then `repeats` times; `values` reads its last result, outside the measured time.
    ///
    /// `input_bytes` is the size of the inputs that lie in memory. Memory is measured over the first run only: the peak
    /// is reset before it, where the system allows that.
    pub(crate) fn of<T>(
        input_bytes: usize,
        repeats: usize,
        mut work: impl FnMut() -> Result<T, Box<dyn Error>>,
        values: impl FnOnce(T) -> Result<Values, Box<dyn Error>>,
    ) -> Result<Self, Box<dyn Error>> {
        reset_peak();
        let rss_inputs_bytes = memory("VmRSS:");
        let mut last = work()?;
        let rss_peak_bytes = memory("VmHWM:");
        let (mut cpu_s, mut wall_s) = (f64::INFINITY, f64::INFINITY);
        for _ in 0..repeats.max(1) {
            drop(last);
            let (cpu, wall) = (cpu_seconds(), Instant::now());
            last = work()?;
            cpu_s = cpu_s.min(cpu_seconds() - cpu);
            wall_s = wall_s.min(wall.elapsed().as_secs_f64());
        }
        let values = values(last)?;
        Ok(Self { cpu_s, wall_s, repeats, rss_inputs_bytes, rss_peak_bytes, input_bytes, values })
    }

    /// One object, values to 12 digits.
    pub(crate) fn to_json(&self, workload: &str, threads: usize) -> serde_json::Value {
        let rounded = |v: f64| format!("{v:.11e}").parse::<f64>().unwrap_or(v);
        let values: serde_json::Map<_, _> =
            self.values.iter().map(|(name, v)| ((*name).to_owned(), rounded(*v).into())).collect();
        serde_json::json!({
            "workload": workload,
            "threads": threads,
            "cpu_s": self.cpu_s,
            "wall_s": self.wall_s,
            "repeats": self.repeats,
            "input_bytes": self.input_bytes,
            "rss_inputs_bytes": self.rss_inputs_bytes,
            "peak_rss_bytes": self.rss_peak_bytes,
            "values": values,
        })
    }
}

/// CPU time of all threads of this process, user and system.
fn cpu_seconds() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
}

/// Sets the peak of the memory back to what is used now; without the right to do so the peak includes the loading.
fn reset_peak() {
    let _ = fs_err::write("/proc/self/clear_refs", "5");
}

/// A line of `/proc/self/status` in bytes; 0 on systems without it.
fn memory(field: &str) -> u64 {
    let status = fs_err::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(field));
    line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok()).map_or(0, |kib| kib * 1024)
}
