//! Names of domains, by which people tell them apart.

use crate::record::Record;
use crate::source::Domain;

impl Record {
    /// A name for each domain, in the order of [`Record::domains`]: kind and label, and where several are alike the
    /// PCI address, or a number in their order.
    #[must_use]
    pub fn domain_names(&self) -> Vec<String> {
        names(&self.domains.iter().map(|row| &row.domain).collect::<Vec<_>>())
    }
}

fn names(domains: &[&Domain]) -> Vec<String> {
    let alike = |one: &Domain| -> Vec<&Domain> {
        domains.iter().copied().filter(|other| other.to_string() == one.to_string()).collect()
    };
    let name = |domain: &&Domain| {
        let alike = alike(domain);
        if alike.len() == 1 {
            return domain.to_string();
        }
        let same_address =
            alike.iter().filter(|other| other.pci_address == domain.pci_address).count();
        if let (Some(address), 1) = (&domain.pci_address, same_address) {
            // The first segment, as `nvidia-smi` has it, is nearly always 0.
            return format!("{domain} at {}", address.trim_start_matches("0000:"));
        }
        let number = alike.iter().take_while(|other| other.id != domain.id).count() + 1;
        format!("{domain} no. {number}")
    };
    domains.iter().map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::fixed::Fixed;
    use crate::source::{DomainKind, PowerSource as _};
    use crate::units::Watts;

    #[test]
    fn domains_that_are_alike_have_their_address_or_a_number() {
        let domain = |id: &str, label: &str, address: Option<&str>| Domain {
            id: id.to_owned(),
            label: label.to_owned(),
            pci_address: address.map(str::to_owned),
            ..Fixed::new(DomainKind::Gpu, Watts::new(65.0), 0.1).unwrap().domains()[0].clone()
        };
        let found = |domains: &[Domain]| names(&domains.iter().collect::<Vec<_>>());
        let [a, b] = ["0000:3b:00.0", "0001:86:00.0"].map(|at| domain(at, "H100", Some(at)));
        let [c, d] = ["c", "d"].map(|id| domain(id, "T4", None));
        let kind = a.kind.as_str();
        let expected = ["H100 at 3b:00.0", "H100 at 0001:86:00.0", "T4 no. 1", "T4 no. 2", "L4"];
        let expected = expected.map(|name| format!("{kind} {name}"));
        assert_eq!(found(&[a, b, c, d, domain("e", "L4", None)]), expected);
    }
}
