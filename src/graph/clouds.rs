//! Microsoft's national clouds: where each keeps Graph and its sign-in.

use std::net::IpAddr;

use url::{Host, Url};

use crate::api::Cloud;

/// Graph's root and the sign-in's root of each cloud, from Microsoft's pages
/// <https://learn.microsoft.com/graph/deployments> and, for the sign-in,
/// <https://learn.microsoft.com/entra/identity-platform/authentication-national-cloud>.
const fn built_in(cloud: Cloud) -> (&'static str, &'static str) {
    match cloud {
        Cloud::Global => ("https://login.microsoftonline.com", "https://graph.microsoft.com"),
        Cloud::USGovernmentL4 => ("https://login.microsoftonline.us", "https://graph.microsoft.us"),
        Cloud::USGovernmentL5 => ("https://login.microsoftonline.us", "https://dod-graph.microsoft.us"),
        Cloud::China => ("https://login.partner.microsoftonline.cn", "https://microsoftgraph.chinacloudapi.cn"),
    }
}

/// For whom a ServiceAccount's token must be meant so that the cloud's Entra takes it for an application's word. It is a
/// name and no address, so no override changes it
/// (<https://learn.microsoft.com/entra/workload-id/workload-identity-federation-create-trust>).
#[must_use]
pub const fn exchange_audience(cloud: Cloud) -> &'static str {
    match cloud {
        Cloud::Global => "api://AzureADTokenExchange",
        Cloud::USGovernmentL4 | Cloud::USGovernmentL5 => "api://AzureADTokenExchangeUSGov",
        Cloud::China => "api://AzureADTokenExchangeChina",
    }
}

/// Where every cloud is, the operator's own overrides included.
#[derive(Clone, Debug)]
pub struct Clouds {
    global: Endpoints,
    us_government_l4: Endpoints,
    us_government_l5: Endpoints,
    china: Endpoints,
}

/// Where one cloud is. Both are roots that a path can be appended to: https, or http on a loopback address, and no
/// user, query or fragment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoints {
    /// Microsoft Entra's root; the tenant comes next in the path.
    pub sign_in: Url,
    /// Microsoft Graph's root; the version comes next in the path.
    pub graph: Url,
}

/// Why a URL cannot be a cloud's endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidEndpoint {
    /// Not a URL.
    #[error("not a URL: {0}")]
    Malformed(#[from] url::ParseError),
    /// Neither https, nor http on a loopback address: tokens would travel in the clear.
    #[error("not an https URL; http is accepted for loopback addresses only")]
    NotHttps,
    /// It holds more than a scheme, a host, a port and a path.
    #[error("a user, a password, a query or a fragment has no place in it")]
    NotARoot,
}

impl Clouds {
    /// Microsoft's own clouds, with the rows that `overrides` replaces: cloud, sign-in URL, Graph URL. The last one
    /// given for a cloud wins.
    ///
    /// # Errors
    /// [`InvalidEndpoint`] of the first override that is none. Without overrides there is no error.
    pub fn new(overrides: impl IntoIterator<Item = (Cloud, Url, Url)>) -> Result<Self, InvalidEndpoint> {
        let mut clouds = Self {
            global: Endpoints::built_in(Cloud::Global)?,
            us_government_l4: Endpoints::built_in(Cloud::USGovernmentL4)?,
            us_government_l5: Endpoints::built_in(Cloud::USGovernmentL5)?,
            china: Endpoints::built_in(Cloud::China)?,
        };
        for (cloud, sign_in, graph) in overrides {
            *clouds.row(cloud) = Endpoints::new(sign_in, graph)?;
        }
        Ok(clouds)
    }

    /// Where that cloud is.
    #[must_use]
    pub const fn endpoints(&self, cloud: Cloud) -> &Endpoints {
        match cloud {
            Cloud::Global => &self.global,
            Cloud::USGovernmentL4 => &self.us_government_l4,
            Cloud::USGovernmentL5 => &self.us_government_l5,
            Cloud::China => &self.china,
        }
    }

    const fn row(&mut self, cloud: Cloud) -> &mut Endpoints {
        match cloud {
            Cloud::Global => &mut self.global,
            Cloud::USGovernmentL4 => &mut self.us_government_l4,
            Cloud::USGovernmentL5 => &mut self.us_government_l5,
            Cloud::China => &mut self.china,
        }
    }
}

impl Endpoints {
    /// Takes two roots.
    ///
    /// # Errors
    /// [`InvalidEndpoint`] of the first that is none.
    pub fn new(sign_in: Url, graph: Url) -> Result<Self, InvalidEndpoint> {
        Ok(Self { sign_in: root(sign_in)?, graph: root(graph)? })
    }

    /// The scope that asks for every permission the application was granted: Graph's root, which must be the one that
    /// is in force, without a trailing slash, and `/.default`.
    #[must_use]
    pub fn scope(&self) -> String {
        self.permission(".default")
    }

    /// One of Graph's permissions, as a scope that a user is asked to consent to: its root, and the permission's name.
    #[must_use]
    pub fn permission(&self, name: &str) -> String {
        [self.graph.as_str().trim_end_matches('/'), "/", name].concat()
    }

    fn built_in(cloud: Cloud) -> Result<Self, InvalidEndpoint> {
        let (sign_in, graph) = built_in(cloud);
        Self::new(Url::parse(sign_in)?, Url::parse(graph)?)
    }
}

fn root(url: Url) -> Result<Url, InvalidEndpoint> {
    if !is_private(&url) {
        return Err(InvalidEndpoint::NotHttps);
    }
    let bare =
        url.username().is_empty() && url.password().is_none() && url.query().is_none() && url.fragment().is_none();
    if bare { Ok(url) } else { Err(InvalidEndpoint::NotARoot) }
}

/// Whether nobody on the way can read what is sent there: https, or http on a loopback address.
#[must_use]
pub fn is_private(url: &Url) -> bool {
    url.scheme() == "https" || (url.scheme() == "http" && is_loopback(url))
}

/// Addresses, and the one name that may not mean anything else (RFC 6761, section 6.3).
fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => IpAddr::V4(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::V6(address).is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn each_cloud_is_where_microsoft_says_and_asks_for_the_scope_of_its_own_graph() {
        let clouds = Clouds::new([]).unwrap();
        for (cloud, sign_in, scope) in [
            (Cloud::Global, "https://login.microsoftonline.com/", "https://graph.microsoft.com/.default"),
            (Cloud::USGovernmentL4, "https://login.microsoftonline.us/", "https://graph.microsoft.us/.default"),
            (Cloud::USGovernmentL5, "https://login.microsoftonline.us/", "https://dod-graph.microsoft.us/.default"),
            (
                Cloud::China,
                "https://login.partner.microsoftonline.cn/",
                "https://microsoftgraph.chinacloudapi.cn/.default",
            ),
        ] {
            let endpoints = clouds.endpoints(cloud);
            assert_eq!((endpoints.sign_in.as_str(), endpoints.scope().as_str()), (sign_in, scope), "{cloud:?}");
        }
    }

    #[test]
    fn an_override_replaces_its_row_and_no_other() {
        let over = (Cloud::China, url("http://127.0.0.1:8081/entra/"), url("https://proxy.example/graph/"));
        let clouds = Clouds::new([over]).unwrap();
        assert_eq!(clouds.endpoints(Cloud::China).scope(), "https://proxy.example/graph/.default");
        assert_eq!(clouds.endpoints(Cloud::Global).graph, url("https://graph.microsoft.com"));
    }

    #[test]
    fn only_an_https_root_or_a_loopback_one_is_an_endpoint() {
        for (text, expected) in [
            ("https://graph.example", Ok(())),
            ("http://127.0.0.1:9000", Ok(())),
            ("http://[::1]:9000/graph", Ok(())),
            ("http://localhost:9000", Ok(())),
            ("http://graph.example", Err(InvalidEndpoint::NotHttps)),
            ("http://127.0.0.1.example", Err(InvalidEndpoint::NotHttps)),
            ("http://localhost.example", Err(InvalidEndpoint::NotHttps)),
            ("data:text/plain,hello", Err(InvalidEndpoint::NotHttps)),
            ("https://me:secret@graph.example", Err(InvalidEndpoint::NotARoot)),
            ("https://graph.example/?a=b", Err(InvalidEndpoint::NotARoot)),
            ("https://graph.example/#a", Err(InvalidEndpoint::NotARoot)),
        ] {
            let made = Endpoints::new(url(text), url("https://graph.example"));
            assert_eq!(made.map(|_| ()), expected, "{text}");
        }
    }
}
