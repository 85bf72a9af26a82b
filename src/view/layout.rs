//! Where boxes and wires go: boxes in columns, ordered so that few wires cross, and a lane of its own for each wire in
//! every column that it passes, so that no wire runs through a box. The steps are those of Sugiyama, Tagawa and Toda,
//! "Methods for visual understanding of hierarchical system structures" (1981).

/// Free room above and below a box, and between two lanes.
const ROOM: f64 = 22.0;
const LANE: f64 = 14.0;
/// Between two columns; more where many wires need it.
const GAP: f64 = 64.0;
const GAP_PER_WIRE: f64 = 3.0;
const SWEEPS: usize = 12;

pub type Point = (f64, f64);

pub struct Layout {
    /// Left, top, width and height of each box.
    pub boxes: Vec<(f64, f64, f64, f64)>,
    /// The corners of each wire, from its first to its second end: it is a curve between columns, and level inside
    /// them.
    pub wires: Vec<Vec<Point>>,
    pub width: f64,
    pub height: f64,
}

/// A place in a column: a box, or the lane of a wire.
#[derive(Clone, Default)]
struct Slot {
    column: usize,
    height: f64,
    lane: bool,
    /// Its middle.
    y: f64,
    /// Neighbours in the columns before and after.
    before: Vec<usize>,
    after: Vec<usize>,
}

struct Plan {
    slots: Vec<Slot>,
    columns: Vec<Vec<usize>>,
    /// The slots that each wire passes, from left to right.
    chains: Vec<Vec<usize>>,
}

/// Lays out boxes, given by column, width and height, and wires between boxes of different columns.
pub fn lay(boxes: &[(usize, f64, f64)], wires: &[(usize, usize)]) -> Layout {
    let mut plan = Plan::new(boxes, wires);
    plan.order();
    plan.place();
    plan.draw(boxes, wires)
}

impl Plan {
    fn new(boxes: &[(usize, f64, f64)], wires: &[(usize, usize)]) -> Self {
        let mut slots: Vec<Slot> =
            boxes.iter().map(|&(column, _, height)| Slot { column, height, ..Default::default() }).collect();
        let mut chains = vec![];
        for &(from, to) in wires {
            let (left, right) = if boxes[from].0 <= boxes[to].0 { (from, to) } else { (to, from) };
            let mut chain = vec![left];
            for column in boxes[left].0 + 1..boxes[right].0 {
                slots.push(Slot { column, lane: true, ..Default::default() });
                chain.push(slots.len() - 1);
            }
            chain.push(right);
            for pair in chain.windows(2) {
                slots[pair[0]].after.push(pair[1]);
                slots[pair[1]].before.push(pair[0]);
            }
            chains.push(chain);
        }
        let count = slots.iter().map(|slot| slot.column + 1).max().unwrap_or_default();
        let mut columns = vec![vec![]; count];
        for (index, slot) in slots.iter().enumerate() {
            columns[slot.column].push(index);
        }
        Self { slots, columns, chains }
    }

    /// Sorts each column by where its neighbours stand, to and fro, and keeps the best order that was seen.
    fn order(&mut self) {
        let mut best = (self.crossings(), self.columns.clone());
        for sweep in 0..SWEEPS {
            let forward = sweep % 2 == 0;
            let rank = |columns: &[Vec<usize>], slot: usize| {
                columns.iter().find_map(|c| c.iter().position(|s| *s == slot)).unwrap_or_default() as f64
            };
            let count = self.columns.len();
            for step in 1..count {
                let column = if forward { step } else { count - 1 - step };
                let weigh = |slot: &usize| {
                    let neighbours = if forward { &self.slots[*slot].before } else { &self.slots[*slot].after };
                    let own = rank(&self.columns, *slot);
                    mean(neighbours.iter().map(|n| rank(&self.columns, *n))).unwrap_or(own)
                };
                let mut weighed: Vec<(f64, usize)> =
                    self.columns[column].iter().map(|slot| (weigh(slot), *slot)).collect();
                weighed.sort_by(|a, b| a.0.total_cmp(&b.0));
                self.columns[column] = weighed.into_iter().map(|(_, slot)| slot).collect();
            }
            let crossings = self.crossings();
            if crossings < best.0 {
                best = (crossings, self.columns.clone());
            }
        }
        self.columns = best.1;
    }

    fn crossings(&self) -> usize {
        let mut rank = vec![0; self.slots.len()];
        for column in &self.columns {
            column.iter().enumerate().for_each(|(place, slot)| rank[*slot] = place);
        }
        let mut count = 0;
        for column in &self.columns {
            let ends: Vec<(usize, usize)> = column
                .iter()
                .flat_map(|slot| self.slots[*slot].after.iter().map(|next| (rank[*slot], rank[*next])))
                .collect();
            for (index, a) in ends.iter().enumerate() {
                count +=
                    ends[index + 1..].iter().filter(|b| (a.0 < b.0 && a.1 > b.1) || (a.0 > b.0 && a.1 < b.1)).count();
            }
        }
        count
    }

    /// Moves every slot towards its neighbours as far as those above and below it allow.
    fn place(&mut self) {
        for sweep in 0..2 * SWEEPS {
            for step in 0..self.columns.len() {
                let column = if sweep % 2 == 0 { step } else { self.columns.len() - 1 - step };
                let order = self.columns[column].clone();
                let wanted = |slot: &usize| {
                    let slot = &self.slots[*slot];
                    mean(slot.before.iter().chain(&slot.after).map(|n| self.slots[*n].y)).unwrap_or(slot.y)
                };
                let wanted: Vec<f64> = order.iter().map(wanted).collect();
                for (slot, y) in order.iter().zip(spread(&wanted, &self.distances(&order))) {
                    self.slots[*slot].y = y;
                }
            }
        }
    }

    /// The least distance of each slot's middle from the one above it.
    fn distances(&self, order: &[usize]) -> Vec<f64> {
        let between = |pair: &[usize]| {
            let (a, b) = (&self.slots[pair[0]], &self.slots[pair[1]]);
            (a.height + b.height) / 2.0 + if a.lane || b.lane { LANE } else { ROOM }
        };
        std::iter::once(0.0).chain(order.windows(2).map(between)).collect()
    }

    fn draw(&self, boxes: &[(usize, f64, f64)], wires: &[(usize, usize)]) -> Layout {
        let widths: Vec<f64> = (0..self.columns.len())
            .map(|column| boxes.iter().filter(|b| b.0 == column).map(|b| b.1).fold(0.0, f64::max))
            .collect();
        let mut lefts = vec![];
        let mut x = 0.0;
        for (column, width) in widths.iter().enumerate() {
            lefts.push(x);
            let passing: usize = self.columns[column].iter().map(|slot| self.slots[*slot].after.len()).sum();
            x += width + GAP + GAP_PER_WIRE * passing.min(30) as f64;
        }
        let top = self.slots.iter().map(|slot| slot.y - slot.height / 2.0).fold(f64::INFINITY, f64::min);
        let bottom = self.slots.iter().map(|slot| slot.y + slot.height / 2.0).fold(top, f64::max);
        let place = |(index, &(column, _, height)): (usize, &(usize, f64, f64))| {
            (lefts[column], self.slots[index].y - height / 2.0 - top, widths[column], height)
        };
        let draw = |(wire, chain): (usize, &Vec<usize>)| {
            let mut points = self.points(wire, chain, (&lefts, &widths), top);
            if chain.first() != Some(&wires[wire].0) {
                points.reverse();
            }
            points
        };
        let right = lefts.last().zip(widths.last()).map_or(0.0, |(left, width)| left + width);
        Layout {
            boxes: boxes.iter().enumerate().map(place).collect(),
            wires: self.chains.iter().enumerate().map(draw).collect(),
            width: right,
            height: bottom - top,
        }
    }

    /// Where a wire meets the sides of the columns that it passes.
    fn points(&self, wire: usize, chain: &[usize], (lefts, widths): (&[f64], &[f64]), top: f64) -> Vec<(f64, f64)> {
        let mut points = vec![];
        for (place, slot) in chain.iter().enumerate() {
            let column = self.slots[*slot].column;
            if place > 0 {
                points.push((lefts[column], self.port(*slot, wire, chain[place - 1], true) - top));
            }
            if place + 1 < chain.len() {
                let right = lefts[column] + widths[column];
                points.push((right, self.port(*slot, wire, chain[place + 1], false) - top));
            }
        }
        points
    }

    /// Where a wire leaves a box: the wires of a side stand in the order of their other ends, so that they do not cross
    /// at once.
    fn port(&self, slot: usize, wire: usize, next: usize, left: bool) -> f64 {
        let here = &self.slots[slot];
        if here.lane {
            return here.y;
        }
        let end = |(index, chain): (usize, &Vec<usize>)| {
            let place = chain.iter().position(|s| *s == slot)?;
            let other = if left { chain.get(place.checked_sub(1)?)? } else { chain.get(place + 1)? };
            Some((self.slots[*other].y, index))
        };
        let mut ends: Vec<(f64, usize)> = self.chains.iter().enumerate().filter_map(end).collect();
        ends.sort_by(|a, b| a.0.total_cmp(&b.0));
        let place = ends.iter().position(|end| *end == (self.slots[next].y, wire)).unwrap_or_default() as f64;
        let room = ((here.height - 20.0) / ends.len() as f64).min(LANE);
        here.y + (place - (ends.len() - 1) as f64 / 2.0) * room
    }
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.fold((0.0, 0), |(sum, count), value| (sum + value, count + 1));
    (count > 0).then(|| sum / f64::from(count))
}

/// The places nearest to the wanted ones, in the sense of least squares, that keep order and distances: neighbours
/// whose wanted places collide form a block, and a block stands at its mean (pool adjacent violators).
fn spread(wanted: &[f64], distances: &[f64]) -> Vec<f64> {
    let offsets: Vec<f64> = distances
        .iter()
        .scan(0.0, |sum, distance| {
            *sum += distance;
            Some(*sum)
        })
        .collect();
    let mut blocks: Vec<(f64, usize)> = vec![];
    for (wanted, offset) in wanted.iter().zip(&offsets) {
        blocks.push((wanted - offset, 1));
        while let [.., (above, n), (below, m)] = blocks[..]
            && above > below
        {
            blocks.truncate(blocks.len() - 2);
            blocks.push(((above * n as f64 + below * m as f64) / (n + m) as f64, n + m));
        }
    }
    let places = blocks.iter().flat_map(|&(place, count)| std::iter::repeat_n(place, count));
    places.zip(&offsets).map(|(place, offset)| place + offset).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOX: (f64, f64) = (100.0, 40.0);

    fn boxes(columns: &[usize]) -> Vec<(usize, f64, f64)> {
        columns.iter().map(|column| (*column, BOX.0, BOX.1)).collect()
    }

    #[test]
    fn wanted_places_that_collide_share_the_middle() {
        assert_eq!(spread(&[0.0, 0.0, 50.0], &[0.0, 10.0, 10.0]), [-5.0, 5.0, 50.0]);
    }

    #[test]
    fn boxes_are_ordered_so_that_wires_do_not_cross() {
        let layout = lay(&boxes(&[0, 0, 1, 1]), &[(0, 3), (1, 2)]);
        assert_eq!(layout.boxes[0].1 < layout.boxes[1].1, layout.boxes[3].1 < layout.boxes[2].1);
    }

    #[test]
    fn no_wire_runs_through_a_box() {
        let wires = [(0, 1), (0, 2), (0, 3), (0, 4), (1, 4), (2, 5), (3, 5), (1, 5)];
        let layout = lay(&boxes(&[0, 1, 1, 1, 2, 3]), &wires);
        for (wire, points) in layout.wires.iter().enumerate() {
            for pair in points.windows(2).filter(|pair| pair[0].1 == pair[1].1) {
                let crosses = |b: &(f64, f64, f64, f64)| {
                    pair[0].1 > b.1 && pair[0].1 < b.1 + b.3 && pair[0].0.max(b.0) < pair[1].0.min(b.0 + b.2)
                };
                assert!(!layout.boxes.iter().any(crosses), "wire {wire} at {pair:?} of {:?}", layout.boxes);
            }
        }
    }

    #[test]
    fn boxes_of_a_column_keep_their_distance() {
        let layout = lay(&boxes(&[0, 1, 1, 1, 1]), &[(0, 1), (0, 2), (0, 3), (0, 4)]);
        let mut tops: Vec<f64> = layout.boxes[1..].iter().map(|b| b.1).collect();
        tops.sort_by(f64::total_cmp);
        assert!(tops.windows(2).all(|pair| pair[1] - pair[0] >= BOX.1 + ROOM - 1e-6), "{tops:?}");
    }
}
