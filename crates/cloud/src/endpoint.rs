//! The addresses of the two services.

use reqwest::Url;

use crate::error::ConfigError;

/// Which cloud an account belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Site {
    /// `https://<service>.intl.tencentcloudapi.com/`
    International,
    /// `https://<service>.tencentcloudapi.com/`
    Mainland,
    /// One address for both services: a simulator, or a gateway of one's own. The only site where `http` is allowed.
    Custom(String),
}

/// The two services.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Service {
    Car,
    Billing,
}

impl Service {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Car => "car",
            Self::Billing => "billing",
        }
    }

    pub(crate) fn version(self) -> &'static str {
        match self {
            Self::Car => "2022-01-10",
            Self::Billing => "2018-07-09",
        }
    }
}

/// An address to post to, and the `Host` that goes with it.
#[derive(Debug, Clone)]
pub(crate) struct Endpoint {
    pub(crate) url: Url,
    pub(crate) host: String,
}

/// The endpoints of one site.
#[derive(Debug, Clone)]
pub(crate) struct Endpoints {
    car: Endpoint,
    billing: Endpoint,
}

impl Endpoints {
    pub(crate) fn new(site: &Site) -> Result<Self, ConfigError> {
        let of = |service: Service| match site {
            Site::International => endpoint(&format!("https://{}.intl.tencentcloudapi.com/", service.name())),
            Site::Mainland => endpoint(&format!("https://{}.tencentcloudapi.com/", service.name())),
            Site::Custom(url) => endpoint(url),
        };
        Ok(Self { car: of(Service::Car)?, billing: of(Service::Billing)? })
    }

    pub(crate) fn of(&self, service: Service) -> &Endpoint {
        match service {
            Service::Car => &self.car,
            Service::Billing => &self.billing,
        }
    }

    /// True when nothing is ever sent over TLS.
    pub(crate) fn is_plain(&self) -> bool {
        self.car.url.scheme() == "http"
    }
}

fn endpoint(text: &str) -> Result<Endpoint, ConfigError> {
    let refuse = |reason: &'static str| Err(ConfigError::Endpoint { reason });
    let Ok(url) = Url::parse(text.trim()) else { return refuse("is not a URL") };
    if !matches!(url.scheme(), "https" | "http") {
        return refuse("is neither https nor http");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return refuse("has a user name or password in it");
    }
    if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
        return refuse("has more than a scheme, a host and a port");
    }
    let Some(name) = url.host_str() else { return refuse("has no host") };
    let host = url.port().map_or_else(|| name.to_owned(), |port| format!("{name}:{port}"));
    Ok(Endpoint { url, host })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn urls(site: Site) -> [String; 2] {
        let all = Endpoints::new(&site).unwrap();
        [Service::Car, Service::Billing].map(|service| all.of(service).url.to_string())
    }

    #[test]
    fn every_site_has_an_address_for_each_service() {
        assert_eq!(
            urls(Site::International),
            ["https://car.intl.tencentcloudapi.com/", "https://billing.intl.tencentcloudapi.com/"]
        );
        assert_eq!(urls(Site::Mainland), ["https://car.tencentcloudapi.com/", "https://billing.tencentcloudapi.com/"]);
        assert_eq!(
            urls(Site::Custom("http://127.0.0.1:8080".into())),
            ["http://127.0.0.1:8080/", "http://127.0.0.1:8080/"]
        );
    }

    #[test]
    fn the_signed_host_has_the_port_that_goes_out() {
        let host = |text: &str| endpoint(text).unwrap().host;
        assert_eq!(host("http://127.0.0.1:8080"), "127.0.0.1:8080");
        assert_eq!(host("https://gateway.example:443/"), "gateway.example");
        assert_eq!(host("http://[::1]:9000/"), "[::1]:9000");
    }

    #[test]
    fn an_address_with_a_password_or_a_path_is_refused_without_being_repeated() {
        for bad in
            ["", "car", "ftp://h/", "https://u:pass5f2e@h/", "https://h/api", "https://h/?a=5f2e", "https://h/#a"]
        {
            let error = endpoint(bad).unwrap_err();
            assert!(matches!(error, ConfigError::Endpoint { .. }), "{bad}");
            assert!(!format!("{error} {error:?}").contains("5f2e"));
        }
    }
}
