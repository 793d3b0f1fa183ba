//! Names of domains, by which people tell them apart.

use std::collections::HashMap;

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
    let mut alike = HashMap::<String, u32>::new();
    let mut at = HashMap::<(String, &str), u32>::new();
    for domain in domains {
        *alike.entry(domain.to_string()).or_default() += 1;
        if let Some(address) = &domain.pci_address {
            *at.entry((domain.to_string(), address)).or_default() += 1;
        }
    }
    let mut numbers = HashMap::<String, u32>::new();
    let name = |domain: &&Domain| {
        let plain = domain.to_string();
        let number = numbers.entry(plain.clone()).or_default();
        *number += 1;
        match domain.pci_address.as_deref() {
            _ if alike[&plain] == 1 => plain,
            Some(address) if at[&(plain.clone(), address)] == 1 => {
                // The first segment, as `nvidia-smi` has it, is nearly always 0.
                format!("{plain} at {}", address.strip_prefix("0000:").unwrap_or(address))
            }
            _ => format!("{plain} no. {number}"),
        }
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
