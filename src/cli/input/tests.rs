use serde_json::{Value, json};

use super::{Document, documents};

fn values(text: impl AsRef<[u8]>) -> Vec<Value> {
    documents(text.as_ref()).unwrap_or_default().into_iter().map(|d| d.value).collect()
}

fn refused(text: impl AsRef<[u8]>) -> String {
    documents(text.as_ref()).err().unwrap_or_default()
}

fn one(text: &str) -> Option<Document> {
    documents(text.as_bytes()).ok()?.into_iter().next()
}

fn line(text: &str, path: &str) -> Option<u64> {
    one(text)?.line(path)
}

#[test]
fn fields_know_their_lines_and_missing_ones_those_around_them() {
    let text = "spec:\n  services:\n  - name: web\n    routes:\n    - path: /\n  - name: orders\n  labels:\n    \
        acme.dev/a: 1\n    acme: 2\n";
    assert_eq!(line(text, "spec.services[0].routes"), Some(4));
    assert_eq!(line(text, "spec.services[1].name"), Some(6));
    assert_eq!(line(text, "spec.services[1].image"), Some(6));
    assert_eq!(line(text, "spec.labels.acme.dev/a"), Some(8));
    assert_eq!(line(text, "spec.labels[acme.dev/a]"), Some(8));
    assert_eq!(line(text, "spec.services[9]"), Some(2));
    assert_eq!(line(&format!("---\n---\n# one\n{text}"), "spec.services[1].name"), Some(9));
}

#[test]
fn byte_order_marks_are_read() {
    let wide = |mark: [u8; 2], bytes: fn(u16) -> [u8; 2]| {
        [mark.to_vec(), "a: é\n".encode_utf16().flat_map(bytes).collect()].concat()
    };
    for text in [
        b"\xef\xbb\xbfa: \xc3\xa9\n".to_vec(),
        wide([0xff, 0xfe], u16::to_le_bytes),
        wide([0xfe, 0xff], u16::to_be_bytes),
    ] {
        assert_eq!(values(&text), [json!({"a": "é"})], "{text:?}");
    }
    assert_eq!(values("\u{feff}a: 1\n---\n\u{feff}b: 2\n"), [json!({"a": 1}), json!({"b": 2})]);
}

#[test]
fn what_is_no_text_is_refused_with_its_line() {
    for (bytes, found) in [
        (&b"a: 1\nb: \xff\n"[..], "line 2: it is not UTF-8"),
        (b"a: 1\n\nb: \0\n", "line 3: the character U+0000"),
        (b"\xff\xfea", "not; save it as UTF-8"),
        (b"a:\n  \tb: 1\n", "line 2: a tab in the indentation"),
        (b"b: 1\na: [1,\n", "line 2"),
        (b"a: 'open\n", "line "),
        (b"a: {b: /?c}\n", "put it in quotes"),
        (b"a: 1\n...\nb: 2\n", "line 3: text after the end"),
    ] {
        assert!(refused(bytes).contains(found), "{bytes:?}: {}", refused(bytes));
    }
}

#[test]
fn tabs_may_stand_where_they_do_not_indent() {
    assert_eq!(values("a:\t1\nc: |\n  d\n  \te\n"), [json!({"a": 1, "c": "d\n\te\n"})]);
}

#[test]
fn separators_are_those_of_kubectl() {
    assert_eq!(values("# nothing\n---\na: 1\n--- # two\n\n---\nb: 2\n...\n"), [json!({"a": 1}), json!({"b": 2})]);
    for (text, found) in [
        ("%YAML 1.1\n---\na: 1\n", "line 1: `kubectl` reads no directives"),
        ("a: 1\n---\n...\n", "line 3: there is no document"),
        ("--- {a: 1}\n", "line 1: nothing but a comment"),
        ("a: 1\n---b\n", "line 2: nothing but a comment"),
    ] {
        assert!(refused(text).contains(found), "{text}: {}", refused(text));
    }
}

#[test]
fn json_objects_follow_each_other() {
    let text = "{\"a\": 1}\n{\"b\": \"\\ud83d\\ude00\"}{\"c\":\n 3}";
    assert_eq!(values(text), [json!({"a": 1}), json!({"b": "😀"}), json!({"c": 3})]);
    let lines: Vec<_> = documents(text.as_bytes()).unwrap_or_default().iter().map(|d| d.line("c")).collect();
    assert_eq!(lines, [Some(1), Some(2), Some(2)]);
    assert_eq!(values("{a: 1}\n---\nb: 2\n"), [json!({"a": 1}), json!({"b": 2})], "flow style is YAML");
    assert_eq!(values("{\"a\": 1}\n---\nb: 2\n"), [json!({"a": 1}), json!({"b": 2})]);
    assert!(refused("{\"a\": 1}\n{\"a\": 2}\n{\"a\" 3}").starts_with("line 3: "));
}

#[test]
fn a_file_of_very_many_documents_is_refused() {
    assert_eq!(values("{}\n---\n".repeat(1000)).len(), 1000);
    assert!(refused("{}\n".repeat(1001)).contains("more than 1000 documents"));
    assert!(refused(format!("kind: List\nitems:\n{}", "- {}\n".repeat(1001))).contains("more than 1000 documents"));
}

#[test]
fn lists_are_taken_apart() {
    let text = "apiVersion: v1\nkind: List\nitems:\n- kind: A\n- kind: List\n  items: [{kind: B}]\n";
    assert_eq!(values(text), [json!({"kind": "A"}), json!({"kind": "B"})]);
    assert_eq!(documents(text.as_bytes()).unwrap_or_default()[1].line("kind"), Some(6));
    assert_eq!(
        values("apiVersion: v\nkind: AList\nitems: [{a: 1}]\n"),
        [json!({"apiVersion": "v", "kind": "A", "a": 1})]
    );
}

#[test]
fn keys_are_texts_and_stand_once() {
    assert_eq!(values("{on: 1, 'off': 2, 3: 4}"), [json!({"true": 1, "off": 2, "3": 4})]);
    let found = refused("spec:\n  services:\n  - name: a\n  - image: b\n    name: c\n    image: d\n");
    assert_eq!(found, "line 6: `spec.services[1].image` is set twice, first in line 4; remove one of them");
    assert!(refused("~: 1\n").contains("a key must be a text") && refused("[a]: 1\n").contains("a key must be a text"));
}

#[test]
fn anchors_and_merge_keys_work_and_bombs_do_not() {
    assert_eq!(
        values("{a: &x {b: 1, c: 2}, d: {<<: *x, b: 3}, e: *x}"),
        [json!({"a": {"b": 1, "c": 2}, "d": {"b": 3, "c": 2}, "e": {"b": 1, "c": 2}})]
    );
    let bomb = |n: usize| -> String {
        (1..n).map(|n| format!("a{n}: &a{n} [{}]\n", vec![format!("*a{}", n - 1); 10].join(", "))).collect()
    };
    assert!(refused(format!("a0: &a0 [x]\n{}", bomb(20))).contains("those that aliases repeat counted"));
    let long = format!("a: &a {}\nb: [{}]\n", "x".repeat(100_000), vec!["*a"; 1000].join(", "));
    assert!(refused(long).contains("bytes up to here"));
    let merges = format!(
        "a: &a {{{}}}\n{}",
        (0..1000).map(|n| format!("k{n}: 1, ")).collect::<String>(),
        (0..1000).map(|n| format!("m{n}: {{<<: *a}}\n")).collect::<String>()
    );
    assert!(refused(merges).contains("values up to here"));
    assert!(refused("a: &a [*a]\n").contains("inside of what it names"));
    assert!(refused(format!("a: {}", "[".repeat(100_000))).contains("line 1"));
    let chain: String = (1..100).map(|n| format!("- &a{n} [*a{}]\n", n - 1)).collect();
    assert!(refused(format!("- &a0 [x]\n{chain}")).contains("nested deeper"));
}

#[test]
fn what_surprises_is_told_with_its_path() {
    let found =
        one("env:\n- {value: yes}\n- {value: 'yes'}\n- {value: 0777}\n").map(|d| d.surprises()).unwrap_or_default();
    assert_eq!(
        found,
        [
            ("env[0].value".to_owned(), json!(true), "yes".to_owned()),
            ("env[2].value".to_owned(), json!(511), "0777".to_owned())
        ]
    );
}
