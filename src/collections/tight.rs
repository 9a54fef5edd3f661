//! Lists that leave little of their memory unused.

/// The part of a list by which it grows.
const GROWTH: usize = 8;

/// Appends to a list that grows by an eighth, where a vector would double: a room's lists have as
/// many elements as it has members, and what they leave unused is a part of what each of those
/// takes. An element is moved eight times on average.
pub fn push_tightly<T>(list: &mut Vec<T>, value: T) {
    if list.len() == list.capacity() {
        list.reserve_exact((list.len() / GROWTH).max(1));
    }
    list.push(value);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_eighth_at_the_most_is_unused() {
        let mut list = Vec::new();
        for value in 0..10_000 {
            push_tightly(&mut list, value);
            let unused = list.capacity() - list.len();
            assert!(unused <= list.len() / GROWTH, "{unused} of {}", list.len());
        }
        assert!(list.into_iter().eq(0..10_000));
    }
}
