//! Where live figures go, as settings of a meter.

#[cfg(feature = "prometheus")]
use std::net::SocketAddr;
#[cfg(feature = "otlp")]
use std::time::Duration;

#[cfg(feature = "prometheus")]
use super::Meter;
use super::MeterBuilder;
#[cfg(feature = "prometheus")]
use crate::export::Listen;

#[cfg(feature = "prometheus")]
impl MeterBuilder {
    /// Shows live figures to Prometheus at a port of this machine, reachable from it alone, or at an
    /// address; at port 0 the system chooses one, which [`Meter::prometheus`] gives. See
    /// [`export`](crate::export) for the figures.
    ///
    /// The address answers until the last clone of the [`Meter`] is dropped, after
    /// [`finish`](Meter::finish) with the final figures: a program that keeps its meter for one interval of
    /// its Prometheus server loses none. [`start`](Self::start) fails with
    /// [`ErrorKind::Network`](crate::ErrorKind::Network) where the port is taken. Needs the feature
    /// `prometheus`.
    ///
    /// ```
    /// use std::io::{Read as _, Write as _};
    /// use ergometer::{Meter, source::DomainKind, units::Watts};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let meter = Meter::builder()
    ///     .without_probe()
    ///     .fixed(DomainKind::Node, Watts::new(50.0))
    ///     .prometheus(0) // 9184, say, in a program that a server is to find
    ///     .start()?;
    /// let address = meter.prometheus().ok_or("no address")?;
    /// assert!(address.ip().is_loopback());
    /// meter.finish()?;
    ///
    /// // What Prometheus, or `curl`, does.
    /// let mut connection = std::net::TcpStream::connect(address)?;
    /// connection.write_all(b"GET /metrics HTTP/1.0\r\n\r\n")?;
    /// let mut text = String::new();
    /// connection.read_to_string(&mut text)?;
    /// assert!(text.contains("# TYPE ergometer_energy_joules_total counter"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn prometheus(mut self, at: impl Into<Listen>) -> Self {
        self.export.prometheus = Some(at.into());
        self
    }
}

#[cfg(feature = "prometheus")]
impl Meter {
    /// The address that [`MeterBuilder::prometheus`] asked for, with the port that was given.
    #[must_use]
    pub fn prometheus(&self) -> Option<SocketAddr> {
        self.exporters().address()
    }
}

#[cfg(feature = "otlp")]
impl MeterBuilder {
    /// Sends live figures to the OpenTelemetry collector at `base` (`http://localhost:4318`), as protobuf
    /// over HTTP to `/v1/metrics` below it. See [`export`](crate::export) for the figures.
    ///
    /// Every 10 s, or [as often as set](Self::otlp_interval), and for the last time in
    /// [`Meter::finish`], which waits for that for 2 s at most, as does the drop of a meter that was not
    /// finished. A send that fails is not repeated: the next has all there is. What went wrong is in the
    /// record's warnings.
    ///
    /// Whoever starts the program can name a collector, if the program does not, in the environment variable
    /// `OTEL_EXPORTER_OTLP_ENDPOINT`. The service is called `ergometer`, or by the environment variable `OTEL_SERVICE_NAME`.
    /// [`start`](Self::start) fails with [`ErrorKind::InvalidSetting`](crate::ErrorKind::InvalidSetting)
    /// for anything but an `http://` address. Needs the feature `otlp`.
    ///
    /// ```
    /// use ergometer::{Meter, source::DomainKind, units::Watts};
    ///
    /// let meter = Meter::builder()
    ///     .without_probe()
    ///     .fixed(DomainKind::Node, Watts::new(50.0))
    ///     .otlp("http://127.0.0.1:1") // where nobody listens
    ///     .start()?;
    /// let record = meter.finish()?;
    /// assert!(record.warnings.iter().any(|line| line.contains("collector at 127.0.0.1:1")));
    /// # Ok::<(), ergometer::Error>(())
    /// ```
    pub fn otlp(mut self, base: impl Into<String>) -> Self {
        self.export.otlp = Some(base.into());
        self
    }

    /// Time between two sends to the collector, 10 s by default; what is sent is up to about a second old
    /// and changes four times a second at most.
    pub fn otlp_interval(mut self, interval: Duration) -> Self {
        self.export.otlp_interval = Some(interval);
        self
    }
}
