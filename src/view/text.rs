//! The graph as lines, for a terminal: who is connected to whom, and what is known of it.

use super::{
    Style, Tone,
    graph::{Graph, Proof},
};

pub fn text(graph: &Graph, style: &Style) -> String {
    let name = |index: usize| graph.nodes[index].name.as_str();
    let from = graph.wires.iter().map(|wire| name(wire.from).chars().count()).max().unwrap_or_default();
    let to = graph.wires.iter().map(|wire| name(wire.to).chars().count()).max().unwrap_or_default();
    let word = graph
        .verdict
        .as_ref()
        .map(|verdict| style.paint(verdict.state.tone(), &verdict.word) + ", ")
        .unwrap_or_default();
    let mut lines = vec![format!("{}: {word}{}", style.paint(Tone::Strong, &graph.name), graph.facts)];
    for wire in &graph.wires {
        let tone = match wire.proof {
            Proof::Plain | Proof::Unverified => Tone::Soft,
            Proof::Verified => Tone::Good,
            Proof::Failed => Tone::Bad,
        };
        let line = format!("{:from$} -> {:to$}  {}", name(wire.from), name(wire.to), style.paint(tone, &wire.said));
        lines.push(line.trim_end().to_owned());
    }
    for (index, node) in graph.nodes.iter().enumerate() {
        if graph.wires.iter().all(|wire| wire.from != index && wire.to != index) {
            lines.push(node.name.clone());
        }
    }
    lines.join("\n") + "\n"
}
