// SPDX-License-Identifier: GPL-2.0

//! A binary heap in a slice: what comes before all others is its first item.

/// The last item of a heap is new: moves it to its place.
pub(crate) fn sift_up<T>(heap: &mut [T], before: impl Fn(&T, &T) -> bool) {
    let mut at = heap.len().saturating_sub(1);
    while at > 0 {
        let above = at.wrapping_sub(1) / 2;
        let (Some(item), Some(parent)) = (heap.get(at), heap.get(above)) else {
            return;
        };
        if !before(item, parent) {
            return;
        }
        swap(heap, above, at);
        at = above;
    }
}

/// The first item of a heap is another one: moves it to its place.
pub(crate) fn sift_down<T>(heap: &mut [T], before: impl Fn(&T, &T) -> bool) {
    let mut at = 0_usize;
    loop {
        let left = at.wrapping_mul(2).wrapping_add(1);
        let right = left.wrapping_add(1);
        let Some(mut first) = heap.get(left) else {
            return;
        };
        let mut below = left;
        if let Some(other) = heap.get(right).filter(|other| before(other, first)) {
            (first, below) = (other, right);
        }
        if heap.get(at).is_none_or(|item| !before(first, item)) {
            return;
        }
        swap(heap, at, below);
        at = below;
    }
}

/// Sorts, in n log n steps: the library's sort has a branch that panics. Equal items come in any order.
pub(crate) fn sort<T>(list: &mut [T], less: impl Fn(&T, &T) -> bool) {
    let before = |one: &T, other: &T| less(other, one);
    for end in 1..=list.len() {
        sift_up(list.get_mut(..end).unwrap_or_default(), before);
    }
    let mut heap = list;
    while heap.len() > 1 {
        let last = heap.len().wrapping_sub(1);
        swap(heap, 0, last);
        heap = heap.get_mut(..last).unwrap_or_default();
        sift_down(heap, before);
    }
}

/// Swaps two items, of which the second comes later in the slice.
fn swap<T>(heap: &mut [T], above: usize, below: usize) {
    if let Some((upper, lower)) = heap.split_at_mut_checked(below) {
        if let (Some(one), Some(other)) = (upper.get_mut(above), lower.first_mut()) {
            core::mem::swap(one, other);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{sift_down, sift_up, sort};

    /// What comes out of a heap, of which the last is taken to the top each time.
    fn drain(heap: &mut Vec<u32>) -> Vec<u32> {
        let mut out = Vec::new();
        while !heap.is_empty() {
            out.push(heap.swap_remove(0));
            sift_down(heap, |a, b| a < b);
        }
        out
    }

    #[test]
    fn what_goes_in_comes_out_in_order() {
        for count in 0..200_u32 {
            let mut heap = Vec::new();
            for n in 0..count {
                heap.push(n.wrapping_mul(2_654_435_761) % 97);
                sift_up(&mut heap, |a, b| a < b);
            }
            let mut sorted = heap.clone();
            sorted.sort_unstable();
            assert_eq!(drain(&mut heap), sorted);
        }
    }

    #[test]
    fn lists_are_sorted() {
        for count in 0..200_u32 {
            let mut list: Vec<_> = (0..count)
                .map(|n| n.wrapping_mul(2_654_435_761) % 97)
                .collect();
            let mut sorted = list.clone();
            sorted.sort_unstable();
            sort(&mut list, |one, other| one < other);
            assert_eq!(list, sorted);
        }
    }

    #[test]
    fn the_first_is_always_the_least() {
        let mut heap = Vec::new();
        for n in [5, 3, 8, 1, 9, 2] {
            heap.push(n);
            sift_up(&mut heap, |a, b| a < b);
            assert_eq!(heap.first(), heap.iter().min());
        }
    }
}
