//! What is known of a machine and its processor.

/// A machine. What its system does not show is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Host {
    /// Its name in the network.
    pub(crate) name: Option<String>,
    /// The operating system and its version.
    pub(crate) os: Option<String>,
    /// Its processor.
    pub(crate) processor: Option<Processor>,
    /// Installed memory.
    pub(crate) memory_bytes: Option<u64>,
    /// When the system started, seconds since 1970.
    pub(crate) booted: Option<i64>,
    /// The maker's identity of the machine, which is not to be published as it is. Linux keeps it for root.
    pub(crate) uuid: Option<String>,
}

/// A processor, on Linux according to `/proc/cpuinfo`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Processor {
    /// `model name`.
    pub(crate) name: Option<String>,
    /// Logical processors.
    pub(crate) logical: u32,
    /// Number of different `physical id`s; 1 where the kernel shows none.
    pub(crate) packages: u32,
    /// Logical processors per package, as the processor reports them; a container may see fewer.
    pub(crate) siblings: Option<u32>,
    /// Cores per package, likewise.
    pub(crate) cores: Option<u32>,
    /// Whether the processor reports a hypervisor; `None` if it lists no flags.
    pub(crate) hypervisor: Option<bool>,
}

impl Processor {
    /// Logical processors of the machine: all processors of each visible package, and at least the visible
    /// ones.
    pub(crate) fn of_machine(&self) -> u32 {
        let whole = self.siblings.map(|siblings| siblings.saturating_mul(self.packages));
        whole.unwrap_or(0).max(self.logical).max(1)
    }
}
