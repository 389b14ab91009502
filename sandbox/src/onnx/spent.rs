//! What a case used, as the system counts it.

use std::time::Instant;

use crate::protocol::Used;

/// A measurement that has begun.
#[derive(Debug)]
pub(super) struct Meter {
    started: Instant,
    cpu_s: f64,
}

impl Meter {
    /// Begins.
    pub(super) fn start() -> Self {
        Self { started: Instant::now(), cpu_s: system_counts().0 }
    }

    /// Ends. The memory is the worker's largest so far, the model's weights and earlier cases included.
    pub(super) fn stop(&self) -> Used {
        let (cpu_s, memory_bytes) = system_counts();
        Used {
            seconds: self.started.elapsed().as_secs_f64(),
            cpu_s: (cpu_s - self.cpu_s).max(0.0),
            memory_bytes,
            fuel: None,
        }
    }
}

/// Largest resident memory of this process so far, bytes.
pub(crate) fn resident_peak() -> u64 {
    system_counts().1
}

/// Processor seconds of this process and its largest resident memory in bytes; zero where they are not counted.
#[expect(unsafe_code, reason = "neither std nor rustix has this call")]
fn system_counts() -> (f64, u64) {
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: the structure holds numbers only, for which zero is a value; the call fills it.
    let usage = unsafe {
        libc::getrusage(libc::RUSAGE_SELF, usage.as_mut_ptr());
        usage.assume_init()
    };
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    let kibibytes = u64::try_from(usage.ru_maxrss).unwrap_or(0);
    (seconds(usage.ru_utime) + seconds(usage.ru_stime), kibibytes.saturating_mul(1024))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_costs_time_and_memory() {
        let meter = Meter::start();
        let mut sum = 0_u64;
        while system_counts().0 - meter.cpu_s < 0.01 {
            sum = (0..10_000_u64).fold(sum, |sum, next| sum.rotate_left(1) ^ next);
        }
        let used = meter.stop();
        assert!(used.cpu_s >= 0.01 && used.seconds > 0.0 && used.memory_bytes > 1 << 20, "{used:?} {sum}");
    }
}
