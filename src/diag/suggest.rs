//! "did you mean": the nearest of the names that would have been right.

/// So many candidates of about the right length are compared: a file of ten thousand names with
/// a mistake in each has to be answered as well.
const COMPARED: usize = 5_000;

/// The candidate nearest to `name`, if it is near enough to be a typo of it.
/// Ties go to the earlier candidate.
pub fn did_you_mean<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let folded: Vec<char> = name.to_lowercase().chars().collect();
    let limit = (name.chars().count() / 3).clamp(1, 3);
    // An edit changes the length by one at most.
    let may_be_near = |c: &&str| {
        let chars = if c.is_ascii() { c.len() } else { c.to_lowercase().chars().count() };
        chars.abs_diff(folded.len()) <= limit
    };
    candidates
        .into_iter()
        .filter(may_be_near)
        .take(COMPARED)
        .filter_map(|c| Some((distance(&folded, c, limit)?, c)))
        .min_by_key(|(d, _)| *d)
        .map(|(_, c)| c)
}

/// Damerau-Levenshtein distance to the small letters of `b`, adjacent swaps counting one; none
/// if it is above `limit`.
fn distance(a: &[char], b: &str, limit: usize) -> Option<usize> {
    let b: Vec<char> = b.chars().flat_map(char::to_lowercase).collect();
    // The row above the one above, the one above, and this.
    let (mut older, mut old, mut row) = (vec![0; b.len() + 1], (0..=b.len()).collect::<Vec<_>>(), Vec::new());
    for i in 1..=a.len() {
        row.clear();
        row.push(i);
        for j in 1..=b.len() {
            let same = usize::from(a[i - 1] != b[j - 1]);
            let edit = (old[j] + 1).min(row[j - 1] + 1).min(old[j - 1] + same);
            let swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
            row.push(if swapped { edit.min(older[j - 2] + 1) } else { edit });
        }
        // What comes is built of the last two rows.
        if row.iter().chain(&old).all(|d| *d > limit) {
            return None;
        }
        std::mem::swap(&mut older, &mut old);
        std::mem::swap(&mut old, &mut row);
    }
    Some(old[b.len()]).filter(|d| *d <= limit)
}

#[cfg(test)]
mod tests {
    use super::did_you_mean;

    #[test]
    fn near_names_only() {
        let words = ["model", "data", "train", "Dense", "Dropout"];
        assert_eq!(did_you_mean("modle", words), Some("model"));
        assert_eq!(did_you_mean("dense", words), Some("Dense"));
        assert_eq!(did_you_mean("Conv2D", words), None);
        assert_eq!(did_you_mean("GRÖSE", ["x", "größe"]), Some("größe"));
        assert_eq!(did_you_mean("x", ["xyz", ""]), Some(""));
        assert_eq!(did_you_mean("Dropuot", ["Dropout"]), Some("Dropout"));
        assert_eq!(did_you_mean("rDopoutt", ["Dropout"]), Some("Dropout"));
        assert_eq!(did_you_mean("rDopout", ["Drop"]), None);
    }
}
