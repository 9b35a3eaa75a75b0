//! An order in which the kernels could run, kept up to date as they join.
//!
//! A way from one kernel to another passes only kernels between them in the
//! order: so looking for one, and moving what follows from it, touches little.

use super::super::lower::{Links, sort};

pub struct Sequence {
    order: Vec<usize>,
    /// Where each kernel stands in the order.
    place: Vec<usize>,
}

impl Sequence {
    pub fn of(links: &Links, count: usize) -> Sequence {
        let order = sort(&links.all_after(count), &|_| false);
        let order = order.expect("loops: kernels wait for each other in no cycle");
        let mut place = vec![0; count];
        order.iter().enumerate().for_each(|(at, &kernel)| place[kernel] = at);
        Sequence { order, place }
    }

    /// What must run after the earlier of two kernels and stands before the later one; none if the
    /// later one waits for some of it, so that they cannot be one.
    pub fn dependents(&self, links: &Links, a: usize, b: usize) -> Option<Vec<usize>> {
        let (first, last) = if self.place[a] < self.place[b] { (a, b) } else { (b, a) };
        let (from, to) = (self.place[first], self.place[last]);
        let mut seen = vec![false; to - from];
        let mut found: Vec<usize> = Vec::new();
        let mut walked = 0;
        let mut next = first;
        loop {
            for after in links.after(next) {
                if after == last && next != first {
                    return None;
                }
                let at = self.place[after];
                if at < to && !std::mem::replace(&mut seen[at - from], true) {
                    found.push(after);
                }
            }
            match found.get(walked) {
                Some(&kernel) => next = kernel,
                None => return Some(found),
            }
            walked += 1;
        }
    }

    /// Has two kernels run as one, called `joined` (one of them), where the later one stood;
    /// `dependents` move behind it.
    pub fn join(&mut self, a: usize, b: usize, joined: usize, dependents: &[usize]) {
        let (from, to) = (self.place[a].min(self.place[b]), self.place[a].max(self.place[b]));
        let window = self.order[from..=to].to_vec();
        let gone = if joined == a { b } else { a };
        let depends = |k: &usize| dependents.contains(k);
        let before = window.iter().filter(|&k| *k != a && *k != b && !depends(k));
        let after = window.iter().filter(|&k| depends(k));
        let settled: Vec<usize> =
            [gone].iter().chain(before).chain(&[joined]).chain(after).copied().collect();
        for (at, kernel) in settled.into_iter().enumerate() {
            self.order[from + at] = kernel;
            self.place[kernel] = from + at;
        }
    }
}
