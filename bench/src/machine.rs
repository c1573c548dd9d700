//! What the numbers were measured on: a number without its machine says nothing.

#![allow(clippy::disallowed_methods, reason = "a bench reads the host's own files")]

mod cores;
mod limits;
mod process;
mod stolen;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::process::Command;

use florin_engine::io::fitness::{BlockDevice, file_system_of};

pub use cores::on_core;
pub use limits::allow_connections;
pub use process::{process_cpu_us, thread_cpu_us};
use stolen::CpuTicks;

const UNKNOWN: &str = "unknown";

/// The machine, as far as it can be read.
#[derive(Clone, Debug)]
pub struct Machine {
    kernel: String,
    processor: String,
    cpu_count: usize,
    device: String,
    file_system: String,
    commit: Option<String>,
    load_average: String,
    began: Option<CpuTicks>,
}

impl Machine {
    /// This one, with the disk of a directory.
    pub fn of(directory: &Path) -> Self {
        let kernel = rustix::system::uname();
        let (system, release) = (kernel.sysname().to_string_lossy(), kernel.release().to_string_lossy());
        Self {
            kernel: format!("{system} {release}"),
            processor: processor_of(&std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default()),
            cpu_count: std::thread::available_parallelism().map_or(1, usize::from),
            device: BlockDevice::of(directory).map_or_else(|| UNKNOWN.to_owned(), |device| device.description()),
            file_system: file_system_of(directory).map_or_else(|_| UNKNOWN.to_owned(), |kind| kind.to_string()),
            commit: commit(),
            load_average: load_average_of(&std::fs::read_to_string("/proc/loadavg").unwrap_or_default()),
            began: CpuTicks::now(),
        }
    }

    /// What is known, by name.
    pub fn facts(&self) -> Vec<(&'static str, String)> {
        vec![
            ("kernel", self.kernel.clone()),
            ("processor", self.processor.clone()),
            ("CPUs", self.cpu_count.to_string()),
            ("file system", self.file_system.clone()),
            ("device", self.device.clone()),
            ("load average at the start", self.load_average.clone()),
            ("CPU time taken by the host", stolen_text(self.stolen_percent())),
            ("commit", self.commit.clone().unwrap_or_else(|| UNKNOWN.to_owned())),
        ]
    }

    /// Per cent of the time of all CPUs that the host of a virtual machine gave to others since [`Self::of`].
    pub fn stolen_percent(&self) -> Option<f64> {
        CpuTicks::now()?.stolen_percent_since(self.began.as_ref()?)
    }

    /// One line that stands above the numbers.
    pub fn line(&self) -> String {
        let commit = self.commit.as_ref().map(|commit| format!("; commit {commit}")).unwrap_or_default();
        let cpus = if self.cpu_count == 1 { "1 CPU".to_owned() } else { format!("{} CPUs", self.cpu_count) };
        format!(
            "{}; {cpus}, {}; {} on {}; load average {} at the start; CPU time taken by the host: {}{commit}\n",
            self.kernel,
            self.processor,
            self.file_system,
            self.device,
            self.load_average,
            stolen_text(self.stolen_percent()),
        )
    }
}

fn stolen_text(percent: Option<f64>) -> String {
    percent.map_or_else(|| UNKNOWN.to_owned(), |percent| format!("{percent:.1} %"))
}

fn processor_of(cpu_information: &str) -> String {
    let model = cpu_information.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    model.map_or(UNKNOWN, |(_, name)| name.trim()).to_owned()
}

fn load_average_of(text: &str) -> String {
    text.split_whitespace().next().unwrap_or(UNKNOWN).to_owned()
}

/// The commit of the current directory's repository, with a note if the tree differs from it.
fn commit() -> Option<String> {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").args(arguments).output().ok().filter(|output| output.status.success())?;
        Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let commit = git(&["rev-parse", "--short=12", "HEAD"])?;
    let changes = git(&["status", "--porcelain", "--untracked-files=no"])?;
    Some(if changes.is_empty() { commit } else { format!("{commit} with changes") })
}
