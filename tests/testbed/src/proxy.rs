//! A proxy as companies run it, which looks into TLS: whoever uses it and trusts its authority finds the emulator under
//! Microsoft's own host names.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use emulator::{Emulator, Roots};
use photo_removal_operator::api::Cloud;
use photo_removal_operator::graph::Clouds;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use url::Url;

use crate::certificates::Authority;
use crate::error::{Context, Error, Result};

/// The longest `CONNECT` that is read, in bytes.
const LONGEST_HEAD: usize = 8 * 1024;

/// An HTTPS proxy that leads to an emulator and to nowhere else. It ends when it is dropped.
pub struct InspectingProxy {
    address: SocketAddr,
    authority: PathBuf,
    /// Aborted on drop.
    _accepting: JoinSet<()>,
}

/// Where a host name leads.
#[derive(Clone)]
struct Leads {
    roads: Arc<[(String, SocketAddr); 2]>,
    tls: TlsAcceptor,
}

impl InspectingProxy {
    /// Starts a proxy to the emulator, which from then on goes by the names of Microsoft's global cloud. The
    /// authority's certificate is written into `folder`.
    ///
    /// # Errors
    ///
    /// No port or no certificate is to be had.
    pub async fn start(emulator: &Emulator, folder: &Path) -> Result<Self> {
        let failed = || "The proxy to the emulator could not be started".to_owned();
        let clouds = Clouds::new([]).context(failed)?;
        let names = clouds.endpoints(Cloud::Global);
        let roots = Roots { graph: Some(names.graph.clone()), sign_in: Some(names.sign_in.clone()) };
        emulator.set_roots(&roots);
        let roads = [
            (host(&names.graph), address(&emulator.graph_url())?),
            (host(&names.sign_in), address(&emulator.sign_in_url())?),
        ];
        let authority = Authority::new()?;
        let tls = acceptor(&authority, &roads)?;
        let listener = TcpListener::bind("127.0.0.1:0").await.context(failed)?;
        let address = listener.local_addr().context(failed)?;
        let file = folder.join(format!("proxy-{}.pem", address.port()));
        fs::write(&file, authority.certificate()).context(failed)?;
        let mut accepting = JoinSet::new();
        accepting.spawn(accept(listener, Leads { roads: Arc::new(roads), tls }));
        Ok(Self { address, authority: file, _accepting: accepting })
    }

    /// What `HTTPS_PROXY` must be.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The PEM file of the authority that its users must trust.
    #[must_use]
    pub fn authority(&self) -> &Path {
        &self.authority
    }
}

fn host(url: &Url) -> String {
    url.host_str().unwrap_or_default().to_owned()
}

fn address(url: &Url) -> Result<SocketAddr> {
    let addresses = url.socket_addrs(|| None).context(|| format!("{url} has no address"))?;
    addresses.first().copied().ok_or_else(|| Error::new(format!("{url} has no address.")))
}

fn acceptor(authority: &Authority, roads: &[(String, SocketAddr)]) -> Result<TlsAcceptor> {
    let failed = || "The proxy's certificate could not be made".to_owned();
    let names: Vec<&str> = roads.iter().map(|(name, _)| name.as_str()).collect();
    let pair = authority.serving(&names)?;
    let certificate = CertificateDer::from_pem_slice(pair.certificate.as_bytes()).context(failed)?;
    let key = PrivateKeyDer::from_pem_slice(pair.key.as_bytes()).context(failed)?;
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .context(failed)?
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .context(failed)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

async fn accept(listener: TcpListener, leads: Leads) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let leads = leads.clone();
        // A client that goes away ends its own connection and nothing else.
        connections.spawn(async move { serve(stream, &leads).await.ok() });
        while connections.try_join_next().is_some() {}
    }
}

async fn serve(mut client: TcpStream, leads: &Leads) -> std::io::Result<()> {
    let wanted = connect(&mut client).await?;
    let Some((_, emulator)) = leads.roads.iter().find(|(name, _)| format!("{name}:443") == wanted) else {
        return client.write_all(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n").await;
    };
    client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await?;
    let mut client = leads.tls.accept(client).await?;
    let mut emulator = TcpStream::connect(emulator).await?;
    copy_bidirectional(&mut client, &mut emulator).await.map(drop)
}

/// The host and port that the client asks for. It says nothing more until it is answered.
async fn connect(client: &mut TcpStream) -> std::io::Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") && head.len() < LONGEST_HEAD {
        head.push(client.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&head);
    let mut words = head.split(' ');
    let (method, target) = (words.next(), words.next());
    Ok(target.filter(|_| method == Some("CONNECT")).unwrap_or_default().to_owned())
}
