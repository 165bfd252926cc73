//! Inputs that are a few steps away from kept ones, by a number: the same number gives the same input.

/// Values at which readers turn.
const EDGES: [&str; 20] = [
    "0",
    "-1",
    "1",
    "2147483648",
    "1000000000000",
    "1000000000001",
    "9223372036854775807",
    "9223372036854775808",
    "1e3",
    "0.1",
    "null",
    "true",
    "[]",
    "{}",
    "\"\"",
    "\"a\"",
    "\u{e4}",
    "\u{0}",
    "%00",
    "\"9999-12-31T23:59:59Z\"",
];
/// Most changes of one mutation.
const CHANGES_MAX: u64 = 4;

/// Draws by splitmix64.
pub(super) struct Mutator(u64);

impl Mutator {
    pub(super) fn new(number: u64) -> Self {
        Self(number)
    }

    fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.draw()).unwrap() % end.max(1)
    }

    fn any<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }

    /// Some bytes of an input, by where they begin and end.
    fn range(&mut self, input: &[u8]) -> (usize, usize) {
        let start = self.below(input.len() + 1);
        (start, (start + self.below(16)).min(input.len()))
    }

    /// One of the inputs after some changes.
    pub(super) fn mutation(&mut self, inputs: &[Vec<u8>]) -> Vec<u8> {
        let mut input = self.any(inputs).clone();
        for _ in 0..=self.draw() % CHANGES_MAX {
            self.change(&mut input, inputs);
        }
        input
    }

    fn change(&mut self, input: &mut Vec<u8>, inputs: &[Vec<u8>]) {
        let (start, end) = self.range(input);
        match self.draw() % 7 {
            0 => drop(input.drain(start..end)),
            1 => {
                let copy = input[start..end].to_vec();
                let place = self.below(input.len() + 1);
                drop(input.splice(place..place, copy));
            }
            2 => {
                if let Some(byte) = input.get_mut(start) {
                    *byte ^= 1 << self.below(8);
                }
            }
            3 => drop(input.splice(start..end, self.any(&EDGES).bytes())),
            // The value after a colon, or what is between two quotes, turns into another.
            4 | 5 => self.replace_value(input),
            _ => {
                let other = self.any(inputs).clone();
                let (from, _) = self.range(&other);
                input.truncate(start);
                input.extend(&other[from..]);
            }
        }
    }

    fn replace_value(&mut self, input: &mut Vec<u8>) {
        let colons: Vec<usize> = (0..input.len()).filter(|place| input[*place] == b':').collect();
        if colons.is_empty() {
            return;
        }
        let start = self.any(&colons) + 1;
        let length = input[start..].iter().position(|byte| b",}]\n".contains(byte));
        let end = length.map_or(input.len(), |length| start + length);
        drop(input.splice(start..end, self.any(&EDGES).bytes()));
    }
}
