//! Peak memory, where the system tells (Linux).

/// The most memory that a process has held, by its status file, in bytes.
pub(crate) fn peak_bytes(status_file: &str) -> Option<f64> {
    let status = std::fs::read_to_string(status_file).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix(" kB")?.parse::<f64>().ok()? * 1024.0)
}
