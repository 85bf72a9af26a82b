//! Branches and leaves, drawn with lines.

/// A line and what hangs below it.
pub struct Branch {
    pub line: String,
    pub leaves: Vec<String>,
}

pub fn draw(branches: &[Branch]) -> Vec<String> {
    let mut lines = vec![];
    for (index, branch) in branches.iter().enumerate() {
        let last = index + 1 == branches.len();
        lines.push(format!("{}{}", if last { "└─ " } else { "├─ " }, branch.line));
        let trunk = if last { "   " } else { "│  " };
        lines.extend(branch.leaves.iter().map(|leaf| format!("{trunk}   {leaf}")));
    }
    lines
}
