//! `microapp check` as people run it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::Write;
use std::process::{Command, Stdio};

/// Exit code, standard output and standard error of `microapp check -f -` with options.
fn check(input: &str, options: &[&str]) -> (i32, String, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_microapp"))
        .args(["check", "-f", "-"])
        .args(options)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

fn app(spec: &str) -> String {
    format!("apiVersion: microapp.dev/v1alpha1\nkind: MicroserviceApp\nmetadata: {{ name: shop }}\nspec:\n{spec}")
}

#[test]
fn a_sound_application_is_counted() {
    let input = app("  services: [{ name: web, image: 'web:1', routes: [{ path: / }] }]\n  gateway: {}\n");
    assert_eq!(
        check(&input, &[]),
        (0, "stdin: MicroserviceApp shop: valid (1 service, 1 component)\n".into(), String::new())
    );
}

#[test]
fn what_editors_and_other_tools_write_is_read_as_kubectl_reads_it() {
    let sound = app("  services: [{ name: web, image: 'web:1', protocol: None }]\n");
    let list = format!("kind: List\nitems:\n- {}", sound.replace('\n', "\n  "));
    for input in [format!("\u{feff}{sound}"), list, sound.replace('\n', "\r\n")] {
        let (code, out, err) = check(&input, &[]);
        assert_eq!(
            (code, out.as_str()),
            (0, "stdin: MicroserviceApp shop: valid (1 service, 0 components)\n"),
            "{err}"
        );
    }
    let (code, out, err) = check(
        &app("  services: [{ name: web, image: 'web:1', protocol: None, env: [{ name: A, value: 1__0 }] }]\n"),
        &[],
    );
    assert!(
        code == 1 && out.contains("spec.services[0].env[0].value: must be of type string, not number"),
        "{out}{err}"
    );
}

#[test]
fn mistakes_stand_with_line_and_path_in_the_order_of_the_file() {
    let (code, out, _) = check(
        &app("  services:\n  - name: web\n    image: web:1\n    protocol: None\n    prot: 80\n  databse: {}\n"),
        &[],
    );
    let expected = "stdin:9: spec.services[0].prot: unknown field; did you mean `port`?\n\
        stdin:10: spec.databse: unknown field; did you mean `database`?\n\
        stdin: MicroserviceApp shop: 2 errors\n";
    assert_eq!((code, out.as_str()), (1, expected));
}

#[test]
fn hints_are_no_mistakes() {
    let (code, out, _) = check(&app("  gateway:\n  services:\n  - name: web\n    image: web\n"), &[]);
    assert_eq!(code, 0, "{out}");
    for hint in [
        "stdin:5: hint: spec.gateway: is null",
        "stdin:7: hint: spec.services[0]: nothing routes",
        "stdin:8: hint: spec.services[0].image: 'web' can be another image tomorrow",
    ] {
        assert!(out.contains(hint), "{hint}\n{out}");
    }
}

#[test]
fn a_misspelt_call_is_explained() {
    let services = "  services:\n  - { name: web, image: 'web:1', protocol: None, calls: [{ service: ordrs }] }\n  - \
        { name: orders, image: 'orders:1' }\n";
    let (code, out, _) = check(&app(services), &[]);
    assert_eq!(code, 1);
    assert!(
        out.contains("spec.services[0].calls[0].service: there is no service 'ordrs'; did you mean 'orders'?"),
        "{out}"
    );
}

#[test]
fn other_documents_are_skipped_and_json_is_for_machines() {
    let input = format!("kind: Service\n---\n{}---\n{}", app("  gateway: { replicas: 0 }\n"), app("  {}\n"));
    let (code, out, err) = check(&input, &["-o", "json"]);
    assert_eq!((code, err.as_str()), (1, "stdin:1: skipped: its `kind` is 'Service', not 'MicroserviceApp'\n"));
    let result: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(result["applications"][0]["errors"][0]["path"], "spec.gateway.replicas");
    assert_eq!(result["applications"][0]["errors"][0]["line"], 7);
    assert_eq!(result["applications"][1]["valid"], true);
}

#[test]
fn what_cannot_be_checked_is_no_verdict() {
    for (input, text) in
        [("kind: Service\n", "there is no MicroserviceApp to check"), ("a: [", "stdin: "), ("a: 1\na: 2\n", "line 2")]
    {
        let (code, out, err) = check(input, &[]);
        assert_eq!((code, out.as_str()), (2, ""), "{err}");
        assert!(err.contains(text), "{err}");
    }
}

#[test]
fn the_verdict_of_the_operator_is_told_as_well() {
    let (code, out, _) = check(&app("  database: { version: 99 }\n"), &[]);
    assert!(code == 1 && out.contains("stdin:5: spec.database.version: PostgreSQL 99 is not a tested major"), "{out}");
    let env: String = (0..90).map(|n| format!("{{ name: A{n}, value: {} }}, ", "x".repeat(4000))).collect();
    let services: String =
        (0..5).map(|n| format!("  - {{ name: a{n}, image: 'a:1', protocol: None, env: [{env}] }}\n")).collect();
    let (code, out, _) = check(&app(&format!("  services:\n{services}")), &[]);
    assert!(code == 1 && out.contains("spec: the resource has more than 1572864 bytes"), "{out}");
}

#[test]
fn images_of_ones_own_say_their_version_and_templates_are_no_templates() {
    let spec = "  gateway: {}\n  database: { image: 'postgres:17.11' }\n  services: [{ name: web, image: 'web:1', \
        routes: [{ path: /users/:id }] }]\n";
    let (code, out, _) = check(&app(spec), &[]);
    assert!(
        code == 0
            && out.contains("hint: spec.database.image: the image seems to be of version 17")
            && out.contains("write `version: 17`"),
        "{out}"
    );
    assert!(out.contains("hint: spec.services[0].routes[0].path: '/users/:id' is compared as it stands"), "{out}");
    let (_, out, _) = check(&app("  database: { image: 'postgres:17.11', version: 17 }\n"), &[]);
    assert!(!out.contains("hint"), "{out}");
}

/// `microapp check` of a change: what is there stands in a file.
fn change(old: &str, new: &str, options: &[&str]) -> (i32, String, String) {
    let file =
        std::env::temp_dir().join(format!("microapp-check-{}-{:?}", std::process::id(), std::thread::current().id()));
    std::fs::write(&file, app(old)).unwrap();
    let result = check(&app(new), &[&["--against", file.to_str().unwrap()], options].concat());
    std::fs::remove_file(file).unwrap();
    result
}

#[test]
fn a_change_may_keep_old_mistakes_and_make_no_new_ones() {
    let service =
        |name: &str, image: &str| format!("  services: [{{ name: {name}, image: '{image}', protocol: None }}]\n");
    let (code, out, err) = change(&service("web", "web:"), &service("web", "web:"), &[]);
    assert_eq!((code, out.as_str()), (0, "stdin: MicroserviceApp shop: valid (1 service, 0 components)\n"), "{err}");
    let (code, out, _) = change(&service("web", "web:1"), &service("web", "web:"), &[]);
    assert!(code == 1 && out.contains("spec.services[0].image: `image` must be a reference"), "{out}");
    let (code, out, _) = change(&service("web", "web:"), &service("shop", "web:"), &["-o", "json"]);
    assert!(code == 1 && out.contains("\"change\":true"), "another service: {out}");
}

#[test]
fn what_data_cannot_follow_is_told_before_it_happens() {
    let spec = |database: &str, name: &str, used: &str| {
        format!(
            "  database: {database}\n  services: [{{ name: {name}, image: 'web:1', protocol: None, uses: [{{ \
                component: Database{used} }}] }}]\n"
        )
    };
    let old = spec("{ version: 17 }", "web", "");
    for (new, hint) in [
        (
            spec("{ version: 18 }", "web", ""),
            "spec.database.version: the data is of version 17, which 18 does not open",
        ),
        (
            spec("{ version: 17 }", "web", ", databaseName: orders"),
            "spec.services[0].uses[0].databaseName: 'web' begins with the empty database 'orders'; its data stays in \
                'web'",
        ),
        (spec("{ version: 17 }", "shop", ""), "spec.services: nobody uses the database 'web' of 'web' any more"),
        ("  services: []\n".to_owned(), "spec: the database ends; its data and passwords are kept"),
        (format!("  dataRetention: Delete\n{old}"), "spec.dataRetention: from now on data is deleted"),
    ] {
        let (code, out, err) = change(&old, &new, &[]);
        assert!(code == 0 && out.contains(&format!("hint: {hint}")), "{hint}\n{out}{err}");
    }
    let (code, out, _) = change(&old, &spec("{ version: 17 }", "shop", ", databaseName: web"), &[]);
    assert!(code == 0 && !out.contains("atabase"), "renamed, and on the same data: {out}");
}

#[test]
fn a_new_application_is_not_taken_for_a_change() {
    let (code, out, err) =
        check(&app("  {}\n"), &["--against", concat!(env!("CARGO_MANIFEST_DIR"), "/tests/accepted/empty.yaml")]);
    assert!(code == 0 && out.contains("metadata.name: \"shop\" is not in the file of `--against`"), "{out}{err}");
    let (code, _, err) = check("", &["--against", "-"]);
    assert!(code == 2 && err.contains("standard input can be read once only"), "{err}");
}
