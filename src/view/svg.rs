//! The picture: boxes in columns, wires that say whether they are verified, light and dark as the reader's screen is.

use super::{
    State, Style,
    graph::{Graph, Node, Proof, Rank, Wire},
    layout::{Layout, Point, lay},
    measure::{fitted, measure},
    xml::{Element, short},
};

/// Free room around everything.
const MARGIN: f64 = 32.0;
/// Where the boxes begin: below title and headings.
const TOP: f64 = 104.0;
const LEGEND: f64 = 64.0;
const PADDING: f64 = 16.0;
/// Height of a line of text.
const LINE: f64 = 18.0;
const NARROWEST: f64 = 148.0;
const WIDEST: f64 = 270.0;
/// A longer cause is in the tooltip.
const CAUSE_LINES: usize = 3;
/// Sizes of text, in pixels.
const NAME: f64 = 13.5;
const SMALL: f64 = 11.5;
/// Room for the pods and the mark at the right of a name.
const ASIDE: f64 = 62.0;

/// Colours stand in classes and not in variables: not every viewer knows those.
const STYLE: &str = include_str!("svg.css");

/// The picture as a file of its own.
pub fn svg(graph: &Graph) -> String {
    let columns = graph.columns();
    let ends: Vec<(usize, usize)> = graph.wires.iter().map(|wire| (wire.from, wire.to)).collect();
    let wired = |place: usize| {
        ends.iter().filter(|end| end.0 == place).count().max(ends.iter().filter(|end| end.1 == place).count())
    };
    let boxes: Vec<(usize, f64, f64)> = graph
        .nodes
        .iter()
        .zip(&columns)
        .enumerate()
        .map(|(place, (node, column))| (*column, width(node), height(node, wired(place))))
        .collect();
    let layout = lay(&boxes, &ends);
    let width = layout.width.max(LEGEND_WIDTH) + 2.0 * MARGIN;
    let height = TOP + layout.height + LEGEND;
    let label = format!("{}: {}", graph.name, graph.verdict.as_ref().map_or("not deployed", |verdict| &verdict.word));
    let picture = Element::new("svg")
        .with("xmlns", "http://www.w3.org/2000/svg")
        .with("viewBox", format!("0 0 {} {}", short(width), short(height)))
        .at(&[("width", width), ("height", height)])
        .with("role", "img")
        .with("aria-label", &label)
        .add([
            Element::new("title").text(label),
            Element::new("style").text(STYLE),
            rect("ground", (0.0, 0.0, width, height), 0.0),
        ])
        .add(head(graph))
        .add(headings(graph, &layout))
        .add(graph.wires.iter().zip(&layout.wires).map(|(wire, points)| drawn(graph, wire, points)))
        .add(graph.nodes.iter().zip(&layout.boxes).map(|(node, place)| card(node, *place)))
        .add([legend(graph, height - 26.0)]);
    format!("{picture}\n")
}

fn head(graph: &Graph) -> Vec<Element> {
    let mut lines = vec![text("text", MARGIN, 40.0, 20.0, &graph.name).with("font-weight", 650)];
    let mut x = MARGIN;
    if let Some(verdict) = &graph.verdict {
        lines.push(text(class(verdict.state), x, 63.0, NAME, &verdict.word).with("font-weight", 600));
        x += measure(&verdict.word, NAME) + 14.0;
    }
    lines.push(text("soft", x, 63.0, 12.0, &graph.facts));
    lines
}

/// Names the columns.
fn headings(graph: &Graph, layout: &Layout) -> Vec<Element> {
    let ranks = [
        (Rank::Callers, "CLIENTS"),
        (Rank::Entry, "GATEWAY"),
        (Rank::Services, "SERVICES"),
        (Rank::Components, "COMPONENTS"),
    ];
    let first = |rank: Rank| {
        graph
            .nodes
            .iter()
            .zip(&layout.boxes)
            .filter(|(node, _)| node.rank == rank)
            .map(|(_, place)| place.0)
            .min_by(f64::total_cmp)
    };
    let heading = |(rank, name): (Rank, &str)| {
        first(rank).map(|x| text("soft", x + MARGIN, TOP - 14.0, 10.5, name).with("letter-spacing", 1))
    };
    ranks.into_iter().filter_map(heading).collect()
}

fn card(node: &Node, (x, y, width, height): (f64, f64, f64, f64)) -> Element {
    let (x, y) = (x + MARGIN, y + TOP);
    let room = width - 2.0 * PADDING;
    let class = class(node.state);
    let mut card = Element::new("g").add([
        Element::new("title").text(format!("{}: {}", node.part, node.cause.as_deref().unwrap_or(word(node.state)))),
        rect("box", (x, y, width, height), 9.0),
        rect(class, (x, y + 9.0, 4.0, height - 18.0), 2.0),
        text("text", x + PADDING, y + 24.0, NAME, &fitted(&node.name, NAME, room - ASIDE)).with("font-weight", 600),
    ]);
    // What calls from outside has no state of ours.
    card = card.add((node.rank != Rank::Callers).then(|| mark(node.state, x + width - PADDING - 6.0, y + 19.5)));
    card = card.add(
        node.pods
            .iter()
            .map(|pods| text("soft", x + width - PADDING - 19.0, y + 24.0, SMALL, pods).with("text-anchor", "end")),
    );
    let lines = lines(node).into_iter().enumerate();
    card.add(lines.map(|(index, (blames, line))| {
        text(
            if blames { class } else { "soft" },
            x + PADDING,
            y + 24.0 + LINE * (index + 1) as f64,
            SMALL,
            &fitted(&line, SMALL, room),
        )
    }))
}

/// The lines below a node's name, and whether they say what is wrong.
fn lines(node: &Node) -> Vec<(bool, String)> {
    let routes = match node.routes.as_slice() {
        [first, second, _, ..] => format!("{first}  {second}  + {}", node.routes.len() - 2),
        few => few.join("  "),
    };
    let facts = [node.detail.clone(), routes].into_iter().filter(|line| !line.is_empty()).map(|line| (false, line));
    let room = (WIDEST - 2.0 * PADDING) / (0.55 * SMALL);
    let style = Style { colour: false, width: Some(room as usize) };
    let mut cause: Vec<String> = node.cause.iter().flat_map(|cause| style.wrap(cause, 0)).collect();
    if cause.len() > CAUSE_LINES {
        cause[CAUSE_LINES - 1] += " …";
        cause.truncate(CAUSE_LINES);
    }
    facts.chain(cause.into_iter().map(|line| (true, line))).collect()
}

fn width(node: &Node) -> f64 {
    let lines = lines(node).into_iter().map(|(_, line)| measure(&line, SMALL));
    let widest = lines.fold(measure(&node.name, NAME) + ASIDE, f64::max);
    (widest + 2.0 * PADDING).ceil().clamp(NARROWEST, WIDEST)
}

/// High enough for its lines and for the wires of its fuller side.
fn height(node: &Node, wires: usize) -> f64 {
    (LINE * lines(node).len() as f64 + 38.0).max(11.0 * wires as f64 + 20.0)
}

fn drawn(graph: &Graph, wire: &Wire, points: &[Point]) -> Element {
    let (line, tip) = match wire.proof {
        Proof::Plain => ("wire", "tip"),
        Proof::Verified => ("wire verified", "verified-tip"),
        Proof::Unverified => ("wire unverified", "tip"),
        Proof::Failed => ("wire failed", "failed-tip"),
    };
    let points: Vec<Point> = points.iter().map(|(x, y)| (x + MARGIN, y + TOP)).collect();
    let title = format!("{} → {} {}", graph.nodes[wire.from].name, graph.nodes[wire.to].name, wire.said);
    let group = Element::new("g").add([Element::new("title").text(title.trim_end())]);
    let [.., before, end] = points[..] else { return group };
    // The arrow stands in the direction in which the wire arrives.
    let back = if before.0 < end.0 { -7.0 } else { 7.0 };
    let arrow = format!("M{} {}l{back} -4v8z", short(end.0), short(end.1));
    group.add([
        Element::new("path").with("class", line).with("d", curve(&points, back)),
        Element::new("path").with("class", tip).with("d", arrow),
    ])
}

/// Curves between columns, level lines within them, and a level end for the arrow.
fn curve(points: &[Point], back: f64) -> String {
    let mut path = points.first().map(|p| format!("M{} {}", short(p.0), short(p.1))).unwrap_or_default();
    for (index, pair) in points.windows(2).enumerate() {
        let ((x1, y1), (mut x2, y2)) = (pair[0], pair[1]);
        if index + 2 == points.len() {
            x2 += back;
        }
        let middle = (x1 + x2) / 2.0;
        path += &match index % 2 {
            0 => format!("C{m} {} {m} {y} {} {y}", short(y1), short(x2), m = short(middle), y = short(y2)),
            _ => format!("L{} {}", short(x2), short(y2)),
        };
    }
    path
}

/// A shape for each state, for those who do not see its colour.
fn mark(state: State, x: f64, y: f64) -> Element {
    let path = |class: &str, d: String| Element::new("path").with("class", class).with("d", d);
    let ring = |class: &str| {
        Element::new("circle")
            .with("class", class)
            .at(&[("cx", x), ("cy", y), ("r", 5.0)])
            .with("fill", "none")
            .with("stroke-width", 1.8)
    };
    match state {
        State::Ready => path("good-line", format!("M{} {}l3.4 3.8l6.6 -7.8", short(x - 5.0), short(y)))
            .with("fill", "none")
            .with("stroke-width", 2.2)
            .with("stroke-linecap", "round")
            .with("stroke-linejoin", "round"),
        State::Busy => Element::new("g")
            .add([ring("busy-line"), path("busy", format!("M{} {}a5 5 0 0 1 0 10z", short(x), short(y - 5.0)))]),
        State::Failed => Element::new("g").add([
            path("bad", format!("M{} {}l7 12.4h-14z", short(x), short(y - 7.0))),
            rect("cut", (x - 0.8, y - 2.6, 1.6, 4.2), 0.0),
            rect("cut", (x - 0.8, y + 2.5, 1.6, 1.6), 0.0),
        ]),
        State::Planned => ring("plan-line").with("stroke-dasharray", "2 2"),
    }
}

const LEGEND_WIDTH: f64 = 640.0;

fn legend(graph: &Graph, y: f64) -> Element {
    let wires = [
        ("wire", "route or call"),
        ("wire verified", "verified"),
        ("wire unverified", "not verified yet"),
        ("wire failed", "broken"),
    ];
    let mut x = MARGIN;
    let mut items = vec![];
    for (class, name) in wires {
        items.push(Element::new("path").with("class", class).with("d", format!("M{} {}h28", short(x), short(y - 4.0))));
        items.push(text("soft", x + 35.0, y, 11.0, name));
        x += 35.0 + measure(name, 11.0) + 18.0;
    }
    if graph.verdict.is_some() {
        for state in [State::Ready, State::Busy, State::Failed] {
            items.push(mark(state, x + 6.0, y - 4.0));
            items.push(text("soft", x + 18.0, y, 11.0, word(state)));
            x += 18.0 + measure(word(state), 11.0) + 18.0;
        }
    }
    Element::new("g").add(items)
}

fn class(state: State) -> &'static str {
    match state {
        State::Planned => "plan",
        State::Ready => "good",
        State::Busy => "busy",
        State::Failed => "bad",
    }
}

fn word(state: State) -> &'static str {
    match state {
        State::Planned => "not deployed",
        State::Ready => "ready",
        State::Busy => "progressing",
        State::Failed => "failing",
    }
}

fn rect(class: &str, (x, y, width, height): (f64, f64, f64, f64), radius: f64) -> Element {
    Element::new("rect").with("class", class).at(&[
        ("x", x),
        ("y", y),
        ("width", width),
        ("height", height),
        ("rx", radius),
    ])
}

fn text(class: &str, x: f64, y: f64, size: f64, text: &str) -> Element {
    Element::new("text").with("class", class).at(&[("x", x), ("y", y), ("font-size", size)]).text(text)
}
