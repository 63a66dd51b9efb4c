//! Sockets: accepting, speaking HTTP/1.1, and resetting a connection where a fault asks for it.

use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use url::Url;

use crate::exchange::Shared;
use crate::record::Listener;

/// How long to wait when the process is out of file descriptors, which closing connections cure.
const OUT_OF_SOCKETS: Duration = Duration::from_millis(50);

/// A socket on loopback at this port, or at a free one for 0.
pub(crate) async fn bind(port: u16) -> io::Result<(TcpListener, Url)> {
    let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await?;
    let url = Url::parse(&format!("http://{}/", listener.local_addr()?)).map_err(io::Error::other)?;
    Ok((listener, url))
}

/// Serves one of the two hosts until the task is aborted, which also ends its connections.
pub(crate) async fn serve(shared: Arc<Shared>, socket: TcpListener, listener: Listener) -> Infallible {
    let mut connections = JoinSet::new();
    loop {
        match socket.accept().await {
            Ok((stream, _)) => {
                connections.spawn(connection(Arc::clone(&shared), stream, listener));
            }
            Err(_) => tokio::time::sleep(OUT_OF_SOCKETS).await,
        }
        while connections.try_join_next().is_some() {}
    }
}

async fn connection(shared: Arc<Shared>, stream: TcpStream, listener: Listener) {
    // Only delays small answers; an error means that the client is gone already, which the next read finds.
    stream.set_nodelay(true).ok();
    let service = service_fn(move |request| {
        let shared = Arc::clone(&shared);
        Box::pin(async move { shared.exchange(listener, request).await })
    });
    let mut connection = http1::Builder::new()
        // A connection may idle for as long as its client likes.
        .header_read_timeout(None)
        .serve_connection(TokioIo::new(stream), service);
    if poll_fn(|context| connection.poll_without_shutdown(context)).await.is_err() {
        // A fault, or a client that is gone: a reset on the wire rather than an orderly end.
        connection.into_parts().io.into_inner().set_zero_linger().ok();
    }
}
