//! The one write of this program: its report, into the one ConfigMap that its Role lets it patch.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{ObjectMeta, Patch, PatchParams};
use kube::{Api, Client};
use tokio::time::{Instant, timeout};
use tracing::warn;

use crate::agent::Error;
use crate::kit::agents::{REPORT_KEY, REPORT_LIMIT, REPORT_MANAGER, Report};

const DEADLINE: Duration = Duration::from_secs(10);
/// An unchanged report is applied again after this time, which changes nothing unless somebody has emptied the
/// ConfigMap: we may not read it.
const INSURANCE: Duration = Duration::from_secs(600);

pub struct Reporter {
    api: Api<ConfigMap>,
    name: String,
    last: Option<(Report, Instant)>,
}

impl Reporter {
    pub fn new(client: Client, name: String) -> Self {
        Self { api: Api::default_namespaced(client), name, last: None }
    }

    /// Writes on change only.
    pub async fn publish(&mut self, report: &Report) -> Result<(), Error> {
        if self.last.as_ref().is_some_and(|(last, at)| last == report && at.elapsed() < INSURANCE) {
            return Ok(());
        }
        let text = fitting(report)?;
        let content = ConfigMap {
            metadata: ObjectMeta { name: Some(self.name.clone()), ..Default::default() },
            data: Some(BTreeMap::from([(REPORT_KEY.into(), text)])),
            ..Default::default()
        };
        let parameters = PatchParams::apply(REPORT_MANAGER).force();
        let patch = Patch::Apply(&content);
        timeout(DEADLINE, self.api.patch(&self.name, &parameters, &patch))
            .await
            .map_err(|_| Error::Deadline(DEADLINE))??;
        self.last = Some((report.clone(), Instant::now()));
        Ok(())
    }
}

/// The report, or as much of it as is read: first without sentences, then without what Secrets contain. What is left
/// out is not known to the operator.
fn fitting(report: &Report) -> Result<String, Error> {
    let mut text = serde_json::to_string(report)?;
    let mut shorter = report.clone();
    let steps: [fn(&mut Report); 2] =
        [|it| it.proofs.iter_mut().for_each(|proof| proof.message.clear()), |it| it.secrets = None];
    for shorten in steps {
        if text.len() > REPORT_LIMIT {
            warn!(bytes = text.len(), "the report is too long and is shortened");
            shorten(&mut shorter);
            text = serde_json::to_string(&shorter)?;
        }
    }
    if text.len() > REPORT_LIMIT { Err(Error::ReportTooLong(text.len())) } else { Ok(text) }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use axum::http::{Request, Response};
    use kube::client::Body;
    use tower_test::mock;

    use crate::kit::agents::{Proof, SecretDigests};

    use super::*;

    /// An API server that keeps what was asked and answers with an empty ConfigMap, or refuses.
    fn server(refuse: bool) -> (Client, Arc<Mutex<Vec<String>>>) {
        let (service, mut handle) = mock::pair::<Request<Body>, Response<Body>>();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let seen = asked.clone();
        tokio::spawn(async move {
            while let Some((request, respond)) = handle.next_request().await {
                seen.lock().map(|mut asked| asked.push(format!("{} {}", request.method(), request.uri()))).ok();
                let mut answer = Response::new(Body::from(b"{\"metadata\":{}}".to_vec()));
                if refuse {
                    *answer.status_mut() = axum::http::StatusCode::FORBIDDEN;
                }
                respond.send_response(answer);
            }
        });
        (Client::new(service, "shop"), asked)
    }

    fn report(reason: &str) -> Report {
        Report {
            plan: "p".into(),
            proofs: vec![crate::kit::agents::Proof { reason: reason.into(), ..Default::default() }],
            ..Default::default()
        }
    }

    fn count(asked: &Mutex<Vec<String>>) -> usize {
        asked.lock().map(|asked| asked.len()).unwrap_or_default()
    }

    #[tokio::test(start_paused = true)]
    async fn writes_on_change_and_as_insurance() -> anyhow::Result<()> {
        let (client, asked) = server(false);
        let mut reporter = Reporter::new(client, "shop-report".into());
        for _ in 0..3 {
            reporter.publish(&report("LoggedIn")).await?;
        }
        assert_eq!(count(&asked), 1);
        reporter.publish(&report("LoginRefused")).await?;
        assert_eq!(count(&asked), 2);
        tokio::time::advance(INSURANCE).await;
        reporter.publish(&report("LoginRefused")).await?;
        assert_eq!(count(&asked), 3);
        let first = asked.lock().map_err(|error| anyhow::anyhow!("{error}"))?[0].clone();
        assert!(first.starts_with("PATCH /api/v1/namespaces/shop/configmaps/shop-report?"), "{first}");
        assert!(first.contains("force=true") && first.contains("fieldManager=microapp-provisioner"), "{first}");
        Ok(())
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_refused_is_tried_again() {
        let (client, asked) = server(true);
        let mut reporter = Reporter::new(client, "shop-report".into());
        assert!(reporter.publish(&report("LoggedIn")).await.is_err());
        assert!(reporter.publish(&report("LoggedIn")).await.is_err());
        assert_eq!(count(&asked), 2);
    }

    #[test]
    fn what_is_too_long_is_shortened_and_stays_true() -> anyhow::Result<()> {
        let proof = |i: usize| Proof {
            service: format!("{i:063}"),
            secret: format!("{i:0253}"),
            message: "m".repeat(256),
            ..Default::default()
        };
        let digests =
            |names: usize| (0..names).map(|i| (format!("{i:0130}/{i:0130}"), "0123456789abcdef".to_owned())).collect();
        let of = |names| Report {
            proofs: (0..50).map(proof).collect(),
            secrets: Some(SecretDigests { digests: digests(names), ..Default::default() }),
            ..Default::default()
        };
        let read = |text: String| serde_json::from_str::<Report>(&text);
        assert_eq!(read(fitting(&of(750))?)?, of(750), "15 keys for each of 50 services fit with everything");
        let (mut names, size) = (1600, |names| serde_json::to_string(&of(names)).map(|text| text.len()));
        while size(names)? <= REPORT_LIMIT {
            names += 20;
        }
        let told = read(fitting(&of(names))?)?;
        assert!(told.proofs.iter().all(|proof| proof.message.is_empty()), "{names}");
        assert!(told.secrets == of(names).secrets, "{names}");
        let told = read(fitting(&of(5000))?)?;
        assert!(told.secrets.is_none() && told.proofs.len() == 50);
        Ok(())
    }

    #[tokio::test]
    async fn a_report_that_nobody_reads_is_not_sent() {
        let (client, asked) = server(false);
        let mut reporter = Reporter::new(client, "shop-report".into());
        assert!(matches!(reporter.publish(&report(&"x".repeat(REPORT_LIMIT))).await, Err(Error::ReportTooLong(_))));
        assert_eq!(count(&asked), 0);
    }
}
