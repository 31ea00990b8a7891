//! Settings of the kernel that a home link needs, as long as it is kept.

use super::HomeLinkError;

/// What was changed, with what it was.
#[derive(Debug, Default)]
pub(super) struct Settings(Vec<(String, String)>);

impl Settings {
    /// For the interface `name`. Where something is as it should be already, nothing is put back at the end.
    ///
    /// # Errors
    /// A file of /proc/sys cannot be written.
    pub(super) fn make(name: &str) -> Result<Self, HomeLinkError> {
        let mut settings = Self::default();
        // Of every interface, not this one alone: only then does the kernel answer for an address itself when it is asked at that
        // address (Neighbor Unreachability Detection), and does not pass the question on. Who is answered for is said for each link.
        settings.set("/proc/sys/net/ipv6/conf/all/proxy_ndp".to_owned(), "1")?;
        for family in ["ipv6", "ipv4"] {
            // Else it waits for up to 0.8 s, for the sake of proxies that are many.
            settings.set(format!("/proc/sys/net/{family}/neigh/{name}/proxy_delay"), "0")?;
        }
        Ok(settings)
    }

    fn set(&mut self, file: String, value: &'static str) -> Result<(), HomeLinkError> {
        let before = std::fs::read_to_string(&file).unwrap_or_default().trim().to_owned();
        if before != value {
            std::fs::write(&file, value).map_err(|source| HomeLinkError::Setting { file: file.clone(), value, source })?;
            self.0.push((file, before));
        }
        Ok(())
    }
}

impl Drop for Settings {
    fn drop(&mut self) {
        for (file, before) in self.0.iter().rev() {
            if let Err(error) = std::fs::write(file, before) {
                tracing::warn!(%error, "cannot write {before} back to {file}");
            }
        }
    }
}

/// How often and how long it is asked whether somebody has an address, as this host would for its own: DupAddrDetectTransmits and
/// RetransTimer of RFC 4862 section 5.1, in milliseconds.
pub(super) fn detection(name: &str) -> (u32, u32) {
    let read =
        |file: String, default| std::fs::read_to_string(file).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(default);
    (
        read(format!("/proc/sys/net/ipv6/conf/{name}/dad_transmits"), 1),
        read(format!("/proc/sys/net/ipv6/neigh/{name}/retrans_time_ms"), 1000),
    )
}
