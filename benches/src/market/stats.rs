//! What the trades and the messages of a feed add up to.

use super::{Action, Tick};

/// Statistics of the trades: the `T` records, which count each trade once.
///
/// A trade without a price counts in `count` and `volume` and in nothing else.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TradeStats {
    count: u64,
    volume: u64,
    priced: Option<Priced>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Priced {
    volume: u64,
    /// Price × size, added up; four billion trades of the most extreme price and size would fit.
    notional: i128,
    first: i64,
    last: i64,
    high: i64,
    low: i64,
}

impl TradeStats {
    /// Counts `tick` if it is a trade.
    pub fn observe(&mut self, tick: &Tick) {
        if tick.action != Action::Trade {
            return;
        }
        let Tick { price, size, .. } = *tick;
        self.count += 1;
        self.volume += u64::from(size);
        if price == Tick::NO_PRICE {
            return;
        }
        let priced = self.priced.get_or_insert(Priced {
            volume: 0,
            notional: 0,
            first: price,
            last: price,
            high: price,
            low: price,
        });
        priced.volume += u64::from(size);
        priced.notional += i128::from(price) * i128::from(size);
        priced.last = price;
        priced.high = priced.high.max(price);
        priced.low = priced.low.min(price);
    }

    /// How many trades there were.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// What was traded: the sizes of all trades.
    #[must_use]
    pub fn volume(&self) -> u64 {
        self.volume
    }

    /// The average price, weighted by size, in units of 1e-9, rounded towards zero; `None` without
    /// volume.
    #[must_use]
    pub fn vwap(&self) -> Option<i64> {
        let priced = self.priced?;
        let average = priced.notional.checked_div(priced.volume.into())?;
        i64::try_from(average).ok()
    }

    /// The highest price that was paid.
    #[must_use]
    pub fn high(&self) -> Option<i64> {
        self.priced.map(|priced| priced.high)
    }

    /// The lowest price that was paid.
    #[must_use]
    pub fn low(&self) -> Option<i64> {
        self.priced.map(|priced| priced.low)
    }

    /// The price of the first trade.
    #[must_use]
    pub fn first(&self) -> Option<i64> {
        self.priced.map(|priced| priced.first)
    }

    /// The price of the last trade.
    #[must_use]
    pub fn last(&self) -> Option<i64> {
        self.priced.map(|priced| priced.last)
    }
}

/// How many messages there were of each action.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MessageCounts {
    counts: [u64; Action::ALL.len()],
}

impl MessageCounts {
    /// Counts `tick`.
    pub fn observe(&mut self, tick: &Tick) {
        self.counts[tick.action as usize] += 1;
    }

    /// The messages of one action.
    #[must_use]
    pub fn of(&self, action: Action) -> u64 {
        self.counts[action as usize]
    }

    /// The messages of every action.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The actions that there were messages of, and how many.
    pub fn seen(&self) -> impl Iterator<Item = (Action, u64)> + '_ {
        Action::ALL
            .into_iter()
            .map(|action| (action, self.of(action)))
            .filter(|(_, count)| *count > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tick(action: Action, price: i64, size: u32) -> Tick {
        Tick {
            price,
            size,
            action,
            ..Tick::default()
        }
    }

    #[test]
    fn only_trades_count_as_traded() {
        let mut stats = TradeStats::default();
        assert_eq!(
            (stats.vwap(), stats.high(), stats.low()),
            (None, None, None)
        );
        for action in Action::ALL {
            stats.observe(&tick(action, 100, 5));
        }
        stats.observe(&tick(Action::Trade, 40, 10));
        stats.observe(&tick(Action::Trade, 70, 15));
        assert_eq!((stats.count(), stats.volume()), (3, 30));
        assert_eq!(stats.vwap(), Some((500 + 400 + 1050) / 30));
        assert_eq!((stats.high(), stats.low()), (Some(100), Some(40)));
        assert_eq!((stats.first(), stats.last()), (Some(100), Some(70)));
    }

    #[test]
    fn extreme_prices_do_not_overflow() {
        let mut stats = TradeStats::default();
        for _ in 0..1000 {
            stats.observe(&tick(Action::Trade, i64::MIN, u32::MAX));
        }
        assert_eq!(stats.vwap(), Some(i64::MIN));
    }

    #[test]
    fn a_trade_without_a_price_has_volume_alone() {
        let mut stats = TradeStats::default();
        stats.observe(&tick(Action::Trade, Tick::NO_PRICE, 5));
        assert_eq!((stats.count(), stats.volume()), (1, 5));
        assert_eq!(
            (stats.vwap(), stats.high(), stats.last()),
            (None, None, None)
        );
        stats.observe(&tick(Action::Trade, 8, 0));
        assert_eq!((stats.vwap(), stats.high()), (None, Some(8)));
    }

    #[test]
    fn counts_name_what_was_seen() {
        let mut counts = MessageCounts::default();
        for action in [Action::Fill, Action::Add, Action::Add] {
            counts.observe(&tick(action, 0, 0));
        }
        assert_eq!(
            counts.seen().collect::<Vec<_>>(),
            [(Action::Add, 2), (Action::Fill, 1)]
        );
        assert_eq!((counts.total(), counts.of(Action::Trade)), (3, 0));
    }
}
