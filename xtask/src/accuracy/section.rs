//! Sections of the page that are written on their own.

/// Where a section stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Section {
    pub heading: &'static str,
    /// The heading that follows it.
    pub before: &'static str,
}

impl Section {
    /// The page with `text` in this section's place, whether it has had one or not.
    pub(super) fn put(self, page: &str, text: &str) -> String {
        let at = page.find(self.heading).or_else(|| page.find(self.before)).unwrap_or(page.len());
        let rest = &page[at..];
        let rest = rest.find(self.before).map_or("", |next| &rest[next..]);
        format!("{}{text}{rest}", &page[..at])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_stands_before_the_next_and_is_replaced() {
        let section = Section { heading: "## Phases", before: "## Boards" };
        let page = "# Title\n\n## Boards\n\nrows\n";
        let with = section.put(page, "## Phases\n\nold\n\n");
        assert_eq!(with, "# Title\n\n## Phases\n\nold\n\n## Boards\n\nrows\n");
        assert_eq!(section.put(&with, "## Phases\n\nold\n\n"), with);
    }
}
