//! Figures beside what they should be.

/// What a figure should be.
pub(crate) enum Goal {
    AtMost(f64),
    Below(f64),
    None,
}

/// One figure.
pub(crate) struct Line {
    what: String,
    value: f64,
    unit: &'static str,
    goal: Goal,
}

impl Line {
    pub(crate) fn new(what: &str, value: f64, unit: &'static str, goal: Goal) -> Self {
        Self { what: what.to_owned(), value, unit, goal }
    }

    pub(crate) fn is_missed(&self) -> bool {
        match self.goal {
            Goal::AtMost(most) => self.value > most,
            Goal::Below(limit) => self.value >= limit,
            Goal::None => false,
        }
    }

    fn render(&self) -> String {
        let Self { what, value, unit, goal } = self;
        let goal = match goal {
            Goal::AtMost(most) => format!("≤ {most} {unit}"),
            Goal::Below(limit) => format!("< {limit} {unit}"),
            Goal::None => "–".to_owned(),
        };
        let met = if self.is_missed() { "missed" } else { "" };
        format!("| {what} | {value:.3} {unit} | {goal} | {met} |\n")
    }
}

/// The table.
pub(crate) fn render(lines: &[Line]) -> String {
    let head = "| | measured | goal | |\n| --- | ---: | ---: | --- |\n".to_owned();
    std::iter::once(head).chain(lines.iter().map(Line::render)).collect()
}
