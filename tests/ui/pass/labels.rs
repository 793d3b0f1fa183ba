#![deny(warnings)]
use ergometer::track_energy;

#[track_energy]
fn search(rows: &[[u32; 3]], wanted: u32) -> Option<(usize, usize)> {
    #[track_energy(phase = "rows")]
    let found = 'rows: loop {
        #[track_energy(step)]
        'row: for (row, columns) in rows.iter().enumerate() {
            #[track_energy(step, name = "column")]
            for (column, &value) in columns.iter().enumerate() {
                if value > wanted {
                    continue 'row;
                }
                #[track_energy(phase = "compare")]
                if value == wanted {
                    break 'rows Some((row, column));
                }
            }
        }
        break None;
    };
    #[track_energy(phase = "block")]
    'block: {
        if found.is_some() {
            break 'block;
        }
        return None;
    }
    found
}

fn main() {
    assert_eq!(search(&[[9, 1, 1], [1, 2, 3]], 2), Some((1, 1)));
    assert_eq!(search(&[[9, 1, 1], [1, 2, 3]], 4), None);
}
