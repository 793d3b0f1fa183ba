//! The tree of spans as joules: folded stacks, and a flame graph.
//!
//! The SVG is drawn here: it has no script, so that it can stand in a page, and `inferno`, which draws such
//! graphs from the folded form, is under a licence (CDDL-1.0) that this workspace does not use.

use std::fmt::Write as _;

use ergometer::record::{Record, SpanNode};
use ergometer::units::Joules;

use crate::escape::escaped;

/// A frame of the graph: a name, its joules with everything inside, and what is inside.
struct Frame {
    name: String,
    joules: f64,
    children: Vec<Frame>,
}

impl Frame {
    fn of(node: &SpanNode) -> Self {
        let kind = node.kind.as_str();
        let name =
            if node.name == kind { kind.to_owned() } else { format!("{kind} {}", node.name) };
        Self::new(name, node.by_domain.iter().copied().sum(), &node.children)
    }

    fn new(name: String, joules: Joules, children: &[SpanNode]) -> Self {
        let children: Vec<Self> = children.iter().map(Self::of).collect();
        // Sums of children may exceed their parent by a rounding error.
        let inside: f64 = children.iter().map(|child| child.joules).sum();
        Self { name, joules: joules.get().max(inside), children }
    }

    /// Joules outside its children.
    fn own(&self) -> f64 {
        let inside: f64 = self.children.iter().map(|child| child.joules).sum();
        (self.joules - inside).max(0.0)
    }

    fn depth(&self) -> usize {
        1 + self.children.iter().map(Self::depth).max().unwrap_or(0)
    }
}

/// The whole run, with its spans inside; `None` if it has no energy.
fn root(record: &Record) -> Option<Frame> {
    let energy = record.total.energy?;
    Some(Frame::new(record.run.label.clone(), energy.joules, &record.spans))
}

/// A line for each label path: frames separated by `;`, a space, and the millijoules outside its children.
///
/// `None` if the run has no energy.
#[must_use]
pub fn folded(record: &Record) -> Option<String> {
    let mut text = String::new();
    fold(&root(record)?, "", &mut text);
    Some(text)
}

fn fold(frame: &Frame, above: &str, text: &mut String) {
    // A semicolon separates frames, and a line is a path.
    let plain = |letter: char| if letter == ';' || letter.is_control() { ' ' } else { letter };
    let name: String = frame.name.chars().map(plain).collect();
    let path = if above.is_empty() { name } else { format!("{above};{name}") };
    let millijoules = (frame.own() * 1e3).round();
    if millijoules > 0.0 {
        let _ = writeln!(text, "{path} {millijoules:.0}");
    }
    for child in &frame.children {
        fold(child, &path, text);
    }
}

const WIDTH: f64 = 1000.0;
const ROW: f64 = 20.0;
/// Narrower frames are left out.
const NARROWEST: f64 = 0.4;
/// Width of a letter, about.
const LETTER: f64 = 6.6;

/// The graph as SVG, root at the top; each frame has its figures as a title. `None` if the run has no energy.
#[must_use]
pub fn flamegraph(record: &Record) -> Option<String> {
    let root = root(record)?;
    let height = ROW * (root.depth() as f64 + 1.0) + 6.0;
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" class=\"flame\" role=\"img\" \
         aria-label=\"Joules by span of {label}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <text x=\"4\" y=\"14\" fill=\"currentColor\">{label}: {total}, each frame as wide as its energy</text>\n",
        label = escaped(&root.name),
        total = Joules::new(root.joules),
    );
    draw(&root, (0.0, WIDTH / root.joules.max(f64::MIN_POSITIVE)), 1, root.joules, &mut text);
    Some(text + "</svg>\n")
}

fn draw(frame: &Frame, (x, scale): (f64, f64), level: usize, total: f64, text: &mut String) {
    let width = frame.joules * scale;
    if width < NARROWEST {
        return;
    }
    let y = level as f64 * ROW;
    let share = if total > 0.0 { 100.0 * frame.joules / total } else { 0.0 };
    let name = escaped(&frame.name);
    let (joules, own) = (Joules::new(frame.joules), Joules::new(frame.own()));
    let _ = write!(
        text,
        "<g><title>{name}: {joules}, {share:.1} %; outside its children {own}</title>\
         <rect x=\"{x:.2}\" y=\"{y:.0}\" width=\"{:.2}\" height=\"{:.0}\" rx=\"2\" fill=\"{}\"/>",
        (width - 0.5).max(0.2),
        ROW - 1.0,
        colour(&frame.name),
    );
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a positive width")]
    let letters = ((width - 8.0) / LETTER).max(0.0) as usize;
    if letters >= 3 {
        let shown: String = if frame.name.chars().count() <= letters {
            frame.name.clone()
        } else {
            frame.name.chars().take(letters - 1).chain(['…']).collect()
        };
        let (shown, baseline) = (escaped(&shown), y + ROW - 6.0);
        let _ = write!(
            text,
            "<text x=\"{:.2}\" y=\"{baseline:.0}\" fill=\"#1a1a1a\">{shown}</text>",
            x + 4.0
        );
    }
    text.push_str("</g>\n");
    let mut left = x;
    for child in &frame.children {
        draw(child, (left, scale), level + 1, total, text);
        left += child.joules * scale;
    }
}

/// A warm colour, light enough for black text, that is the same for the same name.
fn colour(name: &str) -> String {
    let hash = name
        .bytes()
        .fold(2_166_136_261_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(16_777_619));
    format!("hsl({}, 80%, {}%)", 18 + hash % 34, 66 + hash / 64 % 10)
}
