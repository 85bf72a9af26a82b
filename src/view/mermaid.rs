//! The graph in Mermaid's words, for Markdown: <https://mermaid.js.org/syntax/flowchart.html>. And in Graphviz' words,
//! for everything else: <https://graphviz.org/doc/info/lang.html>.

use super::{
    State,
    graph::{Graph, Node, Proof, Rank},
};

pub fn mermaid(graph: &Graph) -> String {
    let mut lines = vec!["flowchart LR".to_owned()];
    for (index, node) in graph.nodes.iter().enumerate() {
        let label = label(node).replace('"', "#quot;").replace('\n', "<br>");
        lines.push(match node.rank {
            Rank::Callers => format!("  n{index}([\"{label}\"])"),
            Rank::Components => format!("  n{index}[(\"{label}\")]"),
            _ => format!("  n{index}[\"{label}\"]"),
        });
    }
    for wire in &graph.wires {
        let arrow = match wire.proof {
            Proof::Plain | Proof::Verified => "-->",
            Proof::Unverified => "-.->",
            Proof::Failed => "--x",
        };
        let said = wire.said.replace('"', "#quot;");
        let said = if said.is_empty() { said } else { format!("|\"{said}\"|") };
        lines.push(format!("  n{} {arrow}{said} n{}", wire.from, wire.to));
    }
    lines.join("\n") + "\n"
}

pub fn dot(graph: &Graph) -> String {
    let quoted = |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"));
    let mut lines = vec![
        format!("digraph {} {{", quoted(&graph.name)),
        "  rankdir=LR; node [shape=box, style=rounded];".to_owned(),
    ];
    lines.extend(
        graph.nodes.iter().enumerate().map(|(index, node)| format!("  n{index} [label={}];", quoted(&label(node)))),
    );
    for wire in &graph.wires {
        let style = if wire.proof == Proof::Unverified { "dashed" } else { "solid" };
        lines.push(format!("  n{} -> n{} [label={}, style={style}];", wire.from, wire.to, quoted(&wire.said)));
    }
    lines.join("\n") + "\n}\n"
}

/// Name, what it is made with, and how it is.
fn label(node: &Node) -> String {
    let state = match node.state {
        State::Planned => None,
        State::Ready => Some("ready"),
        State::Busy => Some("progressing"),
        State::Failed => Some("failing"),
    };
    let how = [node.pods.as_deref(), state].into_iter().flatten().collect::<Vec<_>>().join(" ");
    [node.name.as_str(), &node.detail, &how].into_iter().filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
}
