//! What people and scripts type: exit codes and texts tell how an application is.

use microapp::app::Status;
use serde_json::json;
use tokio::process::Command;

use crate::Setup;
use crate::support::{
    provisioner::Behaviour,
    space::{is, shop, shop_with},
};

/// Exit code, standard output and standard error of a command about an application in the namespace.
async fn microapp(setup: &Setup, args: &[&str]) -> (i32, String, String) {
    let (cluster, _) = crate::connect().await.unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_microapp"));
    let output = command
        .args(args)
        .args(["-n", &setup.space.name, "--kubeconfig"])
        .arg(&cluster.kubeconfig)
        .output()
        .await
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs an API server, which Go builds: `make test` runs it"]
async fn exit_codes_tell_how_an_application_is() {
    let Some(setup) = Setup::new("cli").await else { return };
    let (code, _, err) = microapp(&setup, &["status", "shop"]).await;
    assert_eq!(code, 2, "{err}");
    assert!(err.contains("there is no MicroserviceApp 'shop'"), "{err}");

    setup.provisioner.behave(Behaviour::Stalled);
    setup.space.apply(shop()).await;
    setup
        .space
        .until("shop", "waiting for the login", |s: &Status| {
            s.parts.iter().any(|p| p.waiting_for.iter().any(|w| w.contains("credentials")))
        })
        .await;
    let (code, out, _) = microapp(&setup, &["status", "shop"]).await;
    assert!(
        code == 1 && out.contains("waits for database: the credentials of 'orders' are not verified yet"),
        "{code}: {out}"
    );
    let (code, _, err) = microapp(&setup, &["wait", "shop", "--timeout", "1s"]).await;
    assert!(code == 124 && err.contains("shop is not ready after 1s"), "{code}: {err}");

    setup.provisioner.behave(Behaviour::Honest);
    let (code, _, err) = microapp(&setup, &["wait", "shop", "--timeout", "100s"]).await;
    assert_eq!(code, 0, "{err}");
    assert!(is(&setup.space.until_ready("shop").await, "Ready", "True"));
    let (code, out, _) = microapp(&setup, &["status", "shop"]).await;
    assert!(code == 0 && out.contains("2/2 services"), "{code}: {out}");
    let (code, out, _) = microapp(&setup, &["graph", "shop"]).await;
    assert!(code == 0 && out.contains("verified: logged in as orders"), "{code}: {out}");

    // What waiting does not help is not waited for.
    setup.space.apply(shop_with(|spec| spec["database"] = json!({ "version": "99" }))).await;
    setup.space.until("shop", "stalled", |s| is(s, "Stalled", "True")).await;
    let (code, _, err) = microapp(&setup, &["wait", "shop", "--timeout", "100s"]).await;
    assert!(code == 1 && err.contains("UnknownVersion"), "{code}: {err}");
}
