//! The connection between an operator and the API server: tests listen on it, and make faults.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::http::{Method, Request, Response};
use futures::{StreamExt, future::pending};
use kube::Client;
use serde_json::Value;
use tokio::sync::watch;

/// How watches fare.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Watches {
    #[default]
    Flow,
    /// The API server cannot be reached for new ones.
    Refused,
    /// The API server has forgotten where they stood.
    Expired,
}

/// One connection. Clones are the same connection.
#[derive(Clone)]
pub struct Connection(Arc<Inner>);

struct Inner {
    requests: Mutex<Vec<(Method, String)>>,
    watches: watch::Sender<Watches>,
    /// Answers that the API server is not asked for, by path.
    instead: Mutex<HashMap<String, Value>>,
    /// Whoever asks for a path that ends so panics.
    panic: Mutex<Option<String>>,
    /// Writes to a path that ends so are answered as the API server does when an admission webhook is not there.
    broken: Mutex<Option<String>>,
    /// The write whose answer is the last thing that does not arrive; 0: none.
    fatal: usize,
    cut: watch::Sender<bool>,
}

impl Default for Connection {
    fn default() -> Self {
        Self::cut_at_write(0)
    }
}

impl Connection {
    /// A connection that breaks for ever when write number `fatal` is committed: its answer is lost. Events do not
    /// count, for nothing depends on them.
    pub fn cut_at_write(fatal: usize) -> Self {
        Self(Arc::new(Inner {
            requests: Mutex::default(),
            watches: watch::channel(Watches::Flow).0,
            instead: Mutex::default(),
            panic: Mutex::default(),
            broken: Mutex::default(),
            fatal,
            cut: watch::channel(false).0,
        }))
    }

    /// A client that speaks over this connection.
    pub fn client(&self, to: &Client) -> Client {
        let (connection, to) = (self.clone(), to.clone());
        let carry = move |request| {
            let (connection, to) = (connection.clone(), to.clone());
            async move { connection.carry(&to, request).await }
        };
        Client::new(tower::service_fn(carry), "default")
    }

    async fn carry(&self, to: &Client, request: Request<kube::client::Body>) -> Result<Response<Body>, kube::Error> {
        let (method, path) = (request.method().clone(), request.uri().to_string());
        if *self.0.cut.borrow() {
            return pending().await;
        }
        let panics = self.0.panic.lock().unwrap().as_ref().is_some_and(|end| request.uri().path().ends_with(end));
        assert!(!panics, "as the test wants it");
        if let Some(instead) = self.0.instead.lock().unwrap().get(request.uri().path()) {
            return Ok(Response::new(instead.to_string().into()));
        }
        if path.contains("watch=true") {
            return self.carry_watch(to, request).await;
        }
        let broken = self.0.broken.lock().unwrap().as_ref().is_some_and(|end| request.uri().path().ends_with(end));
        let (write, number) = (method != Method::GET, self.note(method, path));
        if broken && write {
            return Ok(Response::builder()
                .status(500)
                .header("content-type", "application/json")
                .body(WEBHOOK.into())
                .unwrap());
        }
        let answer = to.send(request).await;
        if number.is_some_and(|number| number == self.0.fatal) {
            self.0.cut.send_replace(true);
            return pending().await;
        }
        answer.map(|answer| answer.map(Body::new))
    }

    /// A watch ends as soon as watches do not flow any more.
    async fn carry_watch(
        &self,
        to: &Client,
        request: Request<kube::client::Body>,
    ) -> Result<Response<Body>, kube::Error> {
        let mut fare = self.0.watches.subscribe();
        match *fare.borrow() {
            Watches::Flow => {}
            Watches::Refused => return Err(kube::Error::Service("connection refused".into())),
            Watches::Expired => return Ok(Response::new(EXPIRED.into())),
        }
        let end = async move { drop(fare.wait_for(|fare| *fare != Watches::Flow).await) };
        let answer = to.send(request).await?;
        Ok(answer.map(|body| Body::from_stream(Body::new(body).into_data_stream().take_until(Box::pin(end)))))
    }

    /// Keeps a request, and answers the number of a write.
    fn note(&self, method: Method, path: String) -> Option<usize> {
        let counts = is_write(&method, &path);
        let mut requests = self.0.requests.lock().unwrap();
        requests.push((method, path));
        counts.then(|| requests.iter().filter(|(method, path)| is_write(method, path)).count())
    }

    pub fn watches(&self, fare: Watches) {
        self.0.watches.send_replace(fare);
    }

    /// Makes whoever asks for a path that ends so panic.
    pub fn panic_at(&self, end: &str) {
        *self.0.panic.lock().unwrap() = Some(end.into());
    }

    /// Lets writes to a path that ends so fail; None: none.
    pub fn break_writes(&self, end: Option<&str>) {
        *self.0.broken.lock().unwrap() = end.map(Into::into);
    }

    /// Answers a path without the API server; None: as it is.
    pub fn answer(&self, path: &str, with: Option<Value>) {
        let mut instead = self.0.instead.lock().unwrap();
        match with {
            Some(with) => drop(instead.insert(path.into(), with)),
            None => drop(instead.remove(path)),
        }
    }

    /// All that was asked so far but events. Watches are not noted, as `VERB path`.
    pub fn asked(&self) -> Vec<String> {
        self.selected(|_, path| !path.contains("/events"))
    }

    /// All writes so far but events.
    pub fn writes(&self) -> Vec<String> {
        self.selected(is_write)
    }

    fn selected(&self, wanted: impl Fn(&Method, &str) -> bool) -> Vec<String> {
        self.0
            .requests
            .lock()
            .unwrap()
            .iter()
            .filter(|(method, path)| wanted(method, path))
            .map(|(method, path)| format!("{method} {path}"))
            .collect()
    }

    /// Forgets what was asked.
    pub fn clear(&self) {
        self.0.requests.lock().unwrap().clear();
    }

    /// Returns when the connection is cut.
    pub async fn cut(&self) {
        drop(self.0.cut.subscribe().wait_for(|cut| *cut).await);
    }
}

const WEBHOOK: &str = concat!(
    r#"{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"InternalError","code":500,"#,
    r#""message":"failed calling webhook \"images.example.com\": connection refused"}"#
);
const EXPIRED: &str = concat!(
    r#"{"type":"ERROR","object":{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Expired","#,
    r#""message":"too old resource version","code":410}}"#,
    "\n"
);

fn is_write(method: &Method, path: &str) -> bool {
    *method != Method::GET && !path.contains("/events")
}
