//! Health and metrics over HTTP, on a thread of its own: nothing on the way of a capture waits for it.

#![allow(clippy::disallowed_methods, reason = "the control thread has a runtime and a clock of its own")]

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use florin_engine::model::ShardId;
use florin_engine::shard::HeldBack;
use tokio::sync::{Mutex, oneshot};

use crate::server::ServeError;
use crate::server::shared::ServerShared;

mod bounded;
mod exposition;
mod health;
mod rows;
mod stages;

use health::Health;
use stages::Stages;

/// How long executors may take to give what they measured; a busy one is left out.
const MEASURED_WITHIN: Duration = Duration::from_millis(200);
const LOOK: Duration = Duration::from_millis(2);

/// The control thread.
pub struct Control {
    running: Option<(SocketAddr, oneshot::Sender<()>, JoinHandle<()>)>,
}

#[derive(Clone)]
struct Context {
    shared: Arc<ServerShared>,
    stages: Arc<Mutex<Stages>>,
}

impl Control {
    /// Listens on `address`, if there is one.
    ///
    /// # Errors
    /// If the address is taken, or there can be no thread.
    pub fn start(address: Option<SocketAddr>, shared: &Arc<ServerShared>) -> Result<Self, ServeError> {
        let Some(address) = address else { return Ok(Self { running: None }) };
        let refused = |error| ServeError::Listen { what: "HTTP".to_owned(), address, error };
        let listener = TcpListener::bind(address).map_err(refused)?;
        listener.set_nonblocking(true).map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        let context = Context { shared: Arc::clone(shared), stages: Arc::default() };
        let (stop, stopped) = oneshot::channel();
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(ServeError::Control)?;
        let body = move || {
            let served = runtime.block_on(serve(listener, context, stopped));
            if let Err(error) = served {
                tracing::error!(%error, "HTTP ended");
            }
        };
        let thread = thread::Builder::new().name("florin-control".to_owned()).spawn(body);
        Ok(Self { running: Some((address, stop, thread.map_err(ServeError::Control)?)) })
    }

    /// Where it listens.
    pub fn address(&self) -> Option<SocketAddr> {
        self.running.as_ref().map(|(address, _, _)| *address)
    }

    /// Ends it.
    pub fn stop(self) {
        if let Some((_, stop, thread)) = self.running {
            // It is over already if nobody hears this.
            let _ = stop.send(());
            let _ = thread.join();
        }
    }
}

async fn serve(listener: TcpListener, context: Context, stopped: oneshot::Receiver<()>) -> std::io::Result<()> {
    let listener = bounded::BoundedListener::new(tokio::net::TcpListener::from_std(listener)?);
    let routes = Router::new()
        .route("/health/live", get(async || "live\n"))
        .route("/health/ready", get(ready))
        .route("/metrics", get(metrics))
        .with_state(context);
    tokio::select! {
        served = async { axum::serve(listener, routes).await } => served,
        _ = stopped => Ok(()),
    }
}

/// 200 while every shard takes captures, also when one is degraded, 503 otherwise, with lines for each shard.
async fn ready(State(context): State<Context>) -> impl IntoResponse {
    let (health, text) = health::health(&context.shared);
    let code = match health {
        Health::Ready | Health::Degraded => StatusCode::OK,
        Health::NotReady => StatusCode::SERVICE_UNAVAILABLE,
    };
    (code, text)
}

async fn metrics(State(context): State<Context>) -> impl IntoResponse {
    let mut stages = context.stages.lock().await;
    let held_back = collect(&context.shared, &mut stages).await;
    match exposition::text(&context.shared, &stages, &held_back) {
        Ok(text) => {
            let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            ([(header::CONTENT_TYPE, kind)], text).into_response()
        }
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

/// Asks the executors for what they measured since the last time, and takes in what comes: what holds partitions back.
async fn collect(shared: &ServerShared, stages: &mut Stages) -> Vec<(ShardId, HeldBack)> {
    shared.ask_for_measured();
    let mut held_back = Vec::new();
    let mut missing: Vec<_> = shared.executors.iter().enumerate().collect();
    let mut waited = Duration::ZERO;
    while !missing.is_empty() && waited < MEASURED_WITHIN {
        tokio::time::sleep(LOOK).await;
        waited += LOOK;
        missing.retain(|(number, executor)| {
            let mut has_come = false;
            while let Some(measured) = executor.take_measured() {
                stages.take_in(measured.histograms, florin_engine::io::host::now().monotonic);
                // What nobody took before is out of date.
                held_back.retain(|(shard, _)| shared.executor_of(*shard) != *number);
                held_back.extend(measured.held_back);
                has_come = true;
            }
            !has_come
        });
    }
    held_back
}
