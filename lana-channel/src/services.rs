// SPDX-License-Identifier: GPL-2.0

//! Publish and resolve, as ANA has them: a service in a context has a token of 16 bits, which tells packets for it
//! from others.

use crate::{wire::is_text, Time};
use std::{collections::BTreeMap, time::Duration};

/// The most services that a host publishes, and the most that it remembers of another host.
pub const SERVICES_MAX: usize = 1024;
/// The longest time for which a service stays, in seconds: a day.
pub const LIFETIME_MAX: u32 = 86_400;

/// A service, such as `tcp:80`, in a context, such as an address or `*`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Service {
    /// The context.
    pub context: String,
    /// The service.
    pub service: String,
}

/// A service cannot be published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadService {
    /// The table is full.
    #[error("a host publishes at most {SERVICES_MAX} services")]
    Full,
    /// A name is too long, or has other characters.
    #[error("a context and a service have up to 255 printable ASCII characters each")]
    Name,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    token: u16,
    until: Time,
}

/// A bounded table of services. Each stays for a time only.
#[derive(Debug, Default)]
pub struct Services {
    table: BTreeMap<Service, Entry>,
    last: u16,
}

impl Services {
    /// Whether a service may be in a table, and in a message.
    pub fn check(service: &Service) -> Result<(), BadService> {
        if is_text(&service.context) && is_text(&service.service) {
            Ok(())
        } else {
            Err(BadService::Name)
        }
    }

    /// Publishes a service for so many seconds, or for longer if it is there. The token stays the same until it goes.
    pub fn publish(
        &mut self,
        service: Service,
        lifetime: u32,
        now: Time,
    ) -> Result<u16, BadService> {
        Services::check(&service)?;
        self.expire(now);
        let until = now + Duration::from_secs(lifetime.min(LIFETIME_MAX).into());
        if let Some(entry) = self.table.get_mut(&service) {
            entry.until = entry.until.max(until);
            return Ok(entry.token);
        }
        if self.table.len() >= SERVICES_MAX {
            return Err(BadService::Full);
        }
        // There are fewer services than tokens. 0 is no token.
        let used = |token| self.table.values().any(|entry| entry.token == token);
        let mut token = self.last;
        loop {
            token = token.wrapping_add(1);
            if token != 0 && !used(token) {
                break;
            }
        }
        self.last = token;
        self.table.insert(service, Entry { token, until });
        Ok(token)
    }

    /// Remembers a token that another host told. The service that would go first makes room.
    pub(crate) fn remember(&mut self, service: Service, token: u16, lifetime: u32, now: Time) {
        self.expire(now);
        if self.table.len() >= SERVICES_MAX && !self.table.contains_key(&service) {
            let first = self.table.iter().min_by_key(|(_, entry)| entry.until);
            if let Some(first) = first.map(|(service, _)| service.clone()) {
                self.table.remove(&first);
            }
        }
        let until = now + Duration::from_secs(lifetime.min(LIFETIME_MAX).into());
        self.table.insert(service, Entry { token, until });
    }

    /// Ends a service. Whether it was there.
    pub fn withdraw(&mut self, service: &Service) -> bool {
        self.table.remove(service).is_some()
    }

    /// The token of a service, and the seconds for which it stays.
    pub fn resolve(&self, service: &Service, now: Time) -> Option<(u16, u32)> {
        let entry = self.table.get(service)?;
        let left = entry
            .until
            .checked_sub(now)
            .filter(|left| !left.is_zero())?;
        // Never longer than it is.
        Some((entry.token, u32::try_from(left.as_secs()).ok()?))
    }

    /// The services that are there, with their tokens.
    pub fn iter(&self, now: Time) -> impl Iterator<Item = (&Service, u16)> {
        let there = move |(_, entry): &(&Service, &Entry)| entry.until > now;
        let token = |(service, entry): (_, &Entry)| (service, entry.token);
        self.table.iter().filter(there).map(token)
    }

    fn expire(&mut self, now: Time) {
        self.table.retain(|_, entry| entry.until > now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(name: &str) -> Service {
        Service {
            context: "*".into(),
            service: name.into(),
        }
    }

    const S: Duration = Duration::from_secs(1);

    #[test]
    fn publish_and_resolve() {
        let mut services = Services::default();
        let token = services.publish(service("a"), 10, S).unwrap();
        let other = services.publish(service("b"), 20, S).unwrap();
        assert_ne!(token, other);
        assert_eq!(services.resolve(&service("a"), S * 2), Some((token, 9)));
        assert_eq!(services.resolve(&service("a"), S * 11), None);
        assert_eq!(services.resolve(&service("c"), S), None);
        assert_eq!(services.publish(service("b"), 1, S * 12), Ok(other));
        assert_eq!(services.resolve(&service("b"), S * 12), Some((other, 9)));
        assert_eq!(services.iter(S * 12).count(), 1);
        assert!(services.withdraw(&service("b")));
        assert!(!services.withdraw(&service("b")));
        assert_eq!(services.iter(S).count(), 0);
    }

    #[test]
    fn bounds() {
        let mut services = Services::default();
        for number in 0..SERVICES_MAX {
            services
                .publish(service(&number.to_string()), 10, S)
                .unwrap();
        }
        assert_eq!(
            services.publish(service("more"), 10, S),
            Err(BadService::Full)
        );
        assert!(services.publish(service("more"), 10, S * 11).is_ok());
        let long = service(&"x".repeat(256));
        assert_eq!(services.publish(long, 10, S), Err(BadService::Name));
        let mut memory = Services::default();
        for number in 0..2 * SERVICES_MAX {
            memory.remember(service(&number.to_string()), 7, 10, S);
        }
        assert_eq!(memory.iter(S).count(), SERVICES_MAX);
    }
}
