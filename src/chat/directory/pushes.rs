//! Devices that are told by Web Push, and what their users have not read yet.
//!
//! By names, as blocks are: a user may be forgotten and come back, and is told meanwhile.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::chat::context::Context;
use crate::chat::model::name::{RoomName, UserName};
use crate::chat::model::push::{
    NEWS_ROOMS_MAX, PUSHES_MAX, PUSHES_OF_LOGIN_MAX, PUSHES_OF_USER_MAX, PushOrder, PushReason,
    PushSubscription, PushTerms,
};

/// The last message of a room of which a user is to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::chat) struct News {
    /// Which message of the room it is.
    pub seq: u64,
    /// Who has written it.
    pub from: UserName,
    /// Why the user is told of it.
    pub why: PushReason,
    /// The name of the room under which the user's devices were told, if they were.
    pub pushed_as: Option<RoomName>,
}

/// What is known of one user who has devices.
#[derive(Debug, Default)]
struct Devices {
    /// Those that were added first come first.
    list: Vec<Arc<PushSubscription>>,
    news: BTreeMap<RoomName, News>,
    /// Rooms of pushes that were read since, and how far: told with the next push.
    read: BTreeMap<RoomName, u64>,
}

/// All devices.
///
/// Invariants: no user has an empty list; `count` is the sum of the lists; an endpoint is in one
/// list at most.
#[derive(Debug, Default)]
pub(in crate::chat) struct Pushes {
    /// Without them nothing is pushed.
    pub terms: Option<PushTerms>,
    /// Of what they are to be told is known elsewhere: here are the devices only.
    pub is_shared: bool,
    of_user: BTreeMap<UserName, Devices>,
    count: usize,
    last_id: u64,
    /// What the sending thread is to be asked.
    pub orders: VecDeque<PushOrder>,
}

impl Pushes {
    /// Whether there is nothing to be done here for anybody.
    pub(in crate::chat) fn is_idle(&self) -> bool {
        self.terms.is_none() || self.is_shared || self.of_user.is_empty()
    }

    /// Whether the user has a device.
    pub(in crate::chat) fn has(&self, user: &UserName) -> bool {
        !self.is_idle() && self.of_user.contains_key(user)
    }

    /// The devices of a user.
    pub(in crate::chat) fn of(
        &self,
        user: &UserName,
    ) -> impl Iterator<Item = &Arc<PushSubscription>> {
        self.of_user.get(user).into_iter().flat_map(|devices| &devices.list)
    }

    /// Takes up what is kept, instead of what was known. What was not read yet stays known of users
    /// who still have a device.
    pub(in crate::chat) fn restore(&mut self, kept: Vec<PushSubscription>) {
        let mut before = std::mem::take(&mut self.of_user);
        self.count = 0;
        let ids: Vec<u64> = kept.iter().map(|device| device.id).collect();
        for device in kept {
            self.insert(device);
        }
        for (user, devices) in &mut self.of_user {
            if let Some(was) = before.get_mut(user) {
                devices.news = std::mem::take(&mut was.news);
                devices.read = std::mem::take(&mut was.read);
            }
        }
        let before = before.values().flat_map(|devices| &devices.list);
        let ended = before.map(|device| device.id).filter(|id| !ids.contains(id));
        self.orders.extend(ended.map(PushOrder::End));
    }

    /// An id that no device has had.
    pub(in crate::chat) fn next_id(&mut self, context: &Context) -> u64 {
        self.last_id = context.id_above(self.last_id);
        self.last_id
    }

    /// Whether another one fits.
    pub(in crate::chat) const fn is_full(&self) -> bool {
        self.count >= PUSHES_MAX
    }

    /// The devices that make room for this one: those with its endpoint, and the oldest of its
    /// user's and of its login's.
    pub(in crate::chat) fn replaced_by(&self, new: &PushSubscription) -> Vec<u64> {
        let all = self.of_user.values().flat_map(|devices| &devices.list);
        let same = all.filter(|device| device.endpoint == new.endpoint).map(|device| device.id);
        let mut ended: Vec<u64> = same.collect();
        let mut shorten = |devices: Vec<u64>, most: usize| {
            let left: Vec<u64> = devices.into_iter().filter(|id| !ended.contains(id)).collect();
            ended.extend(left.iter().take((left.len() + 1).saturating_sub(most)));
        };
        if let Some(login) = new.login {
            let of_login = self.of(&new.user).filter(|device| device.login == Some(login));
            shorten(of_login.map(|device| device.id).collect(), PUSHES_OF_LOGIN_MAX);
        }
        shorten(self.of(&new.user).map(|device| device.id).collect(), PUSHES_OF_USER_MAX);
        ended
    }

    /// Adds a device.
    pub(in crate::chat) fn insert(&mut self, device: PushSubscription) {
        self.last_id = self.last_id.max(device.id);
        self.of_user.entry(device.user.clone()).or_default().list.push(Arc::new(device));
        self.count += 1;
    }

    /// Ends devices; what waits for them is not sent any more.
    pub(in crate::chat) fn remove(&mut self, ids: &[u64]) {
        if ids.is_empty() {
            return;
        }
        self.retain(|device| !ids.contains(&device.id));
    }

    /// Ends all devices of a login.
    pub(in crate::chat) fn end_login(&mut self, user: &UserName, login: u64) {
        if self.of(user).any(|device| device.login == Some(login)) {
            self.retain(|device| device.user != *user || device.login != Some(login));
        }
    }

    fn retain(&mut self, is_kept: impl Fn(&PushSubscription) -> bool) {
        let Self { of_user, orders, count, .. } = self;
        of_user.retain(|_, devices| {
            devices.list.retain(|device| {
                let keep = is_kept(device);
                if !keep {
                    *count -= 1;
                    orders.push_back(PushOrder::End(device.id));
                }
                keep
            });
            !devices.list.is_empty()
        });
    }

    /// There is a message of which the user is to be told.
    pub(in crate::chat) fn note(&mut self, user: &UserName, room: &RoomName, news: News) {
        let Some(devices) = self.of_user.get_mut(user) else { return };
        devices.read.remove(room);
        let earlier = devices.news.insert(room.clone(), news);
        // What is shown under a name of before is not replaced by what comes under this one.
        let shown = earlier.and_then(|earlier| Some((earlier.pushed_as?, earlier.seq)));
        devices.read.extend(shown.filter(|(name, _)| name != room));
        if devices.news.len() > NEWS_ROOMS_MAX {
            devices.news.pop_first();
        }
    }

    /// What the user has not been told of yet.
    pub(in crate::chat) fn untold(&self, user: &UserName) -> Vec<(RoomName, News)> {
        let news = self.of_user.get(user).into_iter().flat_map(|devices| &devices.news);
        let untold = news.filter(|(_, news)| news.pushed_as.is_none());
        untold.map(|(room, news)| (room.clone(), news.clone())).collect()
    }

    /// The user is told of this message now, unless it was read or another one has come. Which of
    /// what was told before was read since.
    pub(in crate::chat) fn begin(
        &mut self,
        user: &UserName,
        room: &RoomName,
        seq: u64,
    ) -> Option<(News, Vec<(RoomName, u64)>)> {
        let devices = self.of_user.get_mut(user)?;
        let news = devices
            .news
            .get_mut(room)
            .filter(|news| news.seq == seq && news.pushed_as.is_none())?;
        news.pushed_as = Some(room.clone());
        Some((news.clone(), std::mem::take(&mut devices.read).into_iter().collect()))
    }

    /// The user has read this far in a room.
    pub(in crate::chat) fn read_on(&mut self, user: &UserName, room: &RoomName, read: u64) {
        if self.is_idle() {
            return;
        }
        let Some(devices) = self.of_user.get_mut(user) else { return };
        if devices.news.get(room).is_none_or(|news| news.seq > read) {
            return;
        }
        let Some(shown) = devices.news.remove(room).and_then(|news| news.pushed_as) else { return };
        devices.read.insert(shown.clone(), read);
        if devices.read.len() > NEWS_ROOMS_MAX {
            devices.read.pop_first();
        }
        self.orders.push_back(PushOrder::Read(user.clone(), shown, read));
    }

    /// The room has another name: what waits is told under that one.
    pub(in crate::chat) fn rename(&mut self, was: &RoomName, name: &RoomName) {
        for devices in self.of_user.values_mut() {
            if let Some(news) = devices.news.remove(was) {
                devices.news.insert(name.clone(), news);
            }
        }
    }

    /// The user is in the room no more: nothing waits of it, and what was told is taken back.
    pub(in crate::chat) fn leave(&mut self, user: &UserName, room: &RoomName) {
        let news = self.of_user.get(user).and_then(|devices| devices.news.get(room));
        if let Some(seq) = news.map(|news| news.seq) {
            self.read_on(user, room, seq);
        }
    }

    /// Checks the invariants.
    pub(super) fn debug_check(&self) {
        let lists = || self.of_user.values().map(|devices| devices.list.len());
        debug_assert_eq!(self.count, lists().sum::<usize>(), "devices are counted");
        debug_assert!(lists().all(|len| len > 0), "no list is empty");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(id: u64, login: Option<u64>) -> PushSubscription {
        PushSubscription {
            id,
            user: UserName::parse("ann").unwrap(),
            login,
            endpoint: format!("https://push.example/{id}").into(),
            key: [4; 65],
            secret: [7; 16],
            agent: "".into(),
            at: id,
        }
    }

    #[test]
    fn the_oldest_devices_of_a_user_and_of_a_login_make_room() {
        let mut pushes = Pushes::default();
        for id in 1..=16 {
            let new = device(id, Some(if id <= 2 { 1 } else { id }));
            assert!(pushes.replaced_by(&new).is_empty(), "{id}");
            pushes.insert(new);
        }
        assert_eq!(pushes.replaced_by(&device(17, None)), [1], "of the user");
        assert_eq!(pushes.replaced_by(&device(17, Some(1))), [1], "of the login, and of the user");
        assert_eq!(pushes.replaced_by(&device(9, None)), [9], "with the same endpoint");
        pushes.remove(&[1, 5]);
        assert!(pushes.replaced_by(&device(17, Some(2))).is_empty());
        pushes.debug_check();
        assert_eq!(pushes.orders, [PushOrder::End(1), PushOrder::End(5)]);
    }

    #[test]
    fn what_was_told_and_read_is_told_with_the_next_push_once() {
        let mut pushes = Pushes::default();
        let terms = PushTerms { key: "".into(), hosts: Vec::new(), texts: false };
        pushes.terms = Some(terms);
        pushes.insert(device(1, None));
        let ann = UserName::parse("ann").unwrap();
        let room = |name: &str| RoomName::parse(name).unwrap();
        let bob = UserName::parse("bob").unwrap();
        let why = PushReason::Mention;
        let news = |seq| News { seq, from: bob.clone(), why, pushed_as: None };
        let told = |seq, name| News { pushed_as: Some(room(name)), ..news(seq) };
        pushes.note(&ann, &room("a"), news(4));
        assert_eq!(pushes.begin(&ann, &room("a"), 3), None, "another one has come");
        assert_eq!(pushes.begin(&ann, &room("a"), 4), Some((told(4, "a"), vec![])));
        assert_eq!(pushes.begin(&ann, &room("a"), 4), None, "only once");
        pushes.read_on(&ann, &room("a"), 3);
        assert!(pushes.orders.is_empty(), "it is still unread");
        pushes.read_on(&ann, &room("a"), 5);
        assert_eq!(pushes.orders, [PushOrder::Read(ann.clone(), room("a"), 5)]);
        pushes.note(&ann, &room("b"), news(9));
        assert_eq!(pushes.untold(&ann), [(room("b"), news(9))]);
        let begun = pushes.begin(&ann, &room("b"), 9);
        assert_eq!(begun, Some((told(9, "b"), vec![(room("a"), 5)])));
        pushes.note(&ann, &room("c"), news(1));
        pushes.read_on(&ann, &room("c"), 1);
        assert_eq!(pushes.orders.len(), 1, "what was not told needs not be taken back");
        for at in 0..2 * NEWS_ROOMS_MAX {
            pushes.note(&ann, &room(&format!("r{at:02}")), news(1));
        }
        assert_eq!(pushes.untold(&ann).len(), NEWS_ROOMS_MAX);
    }
    #[test]
    fn a_notice_is_taken_back_under_the_name_under_which_it_is_shown() {
        let terms = Some(PushTerms { key: "".into(), hosts: Vec::new(), texts: false });
        let mut pushes = Pushes { terms, ..Pushes::default() };
        pushes.insert(device(1, None));
        let ann = UserName::parse("ann").unwrap();
        let [den, lair, hole] = ["den", "lair", "hole"].map(|name| RoomName::parse(name).unwrap());
        let from = UserName::parse("bob").unwrap();
        let why = PushReason::Mention;
        let news = |seq| News { seq, from: from.clone(), why, pushed_as: None };
        pushes.note(&ann, &den, news(1));
        pushes.rename(&den, &lair);
        assert!(pushes.begin(&ann, &den, 1).is_none());
        assert!(pushes.begin(&ann, &lair, 1).is_some(), "it waits for the room and not its name");
        pushes.rename(&lair, &hole);
        pushes.read_on(&ann, &hole, 1);
        assert_eq!(pushes.orders, [PushOrder::Read(ann.clone(), lair.clone(), 1)]);
        pushes.note(&ann, &lair, news(3));
        pushes.begin(&ann, &lair, 3);
        pushes.rename(&lair, &hole);
        pushes.note(&ann, &hole, news(5));
        let (_, closed) = pushes.begin(&ann, &hole, 5).unwrap();
        assert_eq!(closed, [(lair, 3)], "the next one does not stand beside it");
        pushes.leave(&ann, &hole);
        assert_eq!(pushes.orders.len(), 2, "of a room that one has left nothing is shown");
        pushes.note(&ann, &hole, news(6));
        pushes.leave(&ann, &hole);
        assert!(pushes.untold(&ann).is_empty());
    }
}
