//! Segments that an older program wrote.

use std::collections::HashSet;

use arrow_array::cast::AsArray;
use arrow_array::types::UInt32Type;
use arrow_array::{ArrayRef, RecordBatch, UInt16Array, UInt64Array};
use arrow_ipc::reader::FileReader;
use arrow_ipc::writer::FileWriter;
use arrow_schema::{Field, Schema};

use super::super::name::SegmentName;
use super::*;
use crate::search::{Direction, EventSearch, FacetBy, Order, Query, RowsPage, Stop, TallyPlan};

/// Writes the only segment of `disk` again as the first version had it:
/// without the columns that came later, and with numbers of other widths.
fn age(disk: &SimulatedDisk) {
    let kept: HashSet<&str> = HashSet::from([
        "time",
        "id",
        "life_line",
        "session",
        "ip",
        "kind",
        "outcome",
        "reason",
        "state",
        "stage",
        "check",
        "from",
        "to",
        "subject",
        "information",
        "helo",
        "message_id",
        "code",
        "size",
        "block",
        "record_block",
        "record_start",
        "index_reference",
        "index_reference_row",
        "index_life_line",
        "index_life_line_row",
    ]);
    let folder = Path::new(FOLDER);
    let [file] = &disk.list(folder).unwrap()[..] else { panic!("one file") };
    let octets = disk.read(&folder.join(file)).unwrap();
    let mut reader = FileReader::try_new(std::io::Cursor::new(octets.to_vec()), None).unwrap();
    let batch = reader.next().unwrap().unwrap();
    let schema = batch.schema();
    let mut fields = Vec::new();
    let mut columns: Vec<ArrayRef> = Vec::new();
    for (field, column) in schema.fields().iter().zip(batch.columns()) {
        let numbers = || column.as_primitive::<UInt32Type>().values().iter();
        let column: ArrayRef = match field.name().as_str() {
            name if !kept.contains(name) => continue,
            "code" => Arc::new(numbers().map(|&n| n as u16).collect::<UInt16Array>()),
            "size" => Arc::new(numbers().map(|&n| u64::from(n)).collect::<UInt64Array>()),
            _ => Arc::clone(column),
        };
        fields.push(Field::new(field.name(), column.data_type().clone(), false));
        columns.push(column);
    }
    let schema = Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()));
    let batch = RecordBatch::try_new(Arc::clone(&schema), columns).unwrap();
    let mut writer = FileWriter::try_new(Vec::new(), &schema).unwrap();
    writer.write(&batch).unwrap();
    writer.finish().unwrap();
    let octets = writer.into_inner().unwrap();
    let name: SegmentName = file.parse().unwrap();
    let name = SegmentName { crc: crc32fast::hash(&octets), ..name };
    disk.remove(&folder.join(file)).unwrap();
    disk.create(&folder.join(name.to_string()), 0).unwrap().write_at(0, &octets).unwrap();
}

#[test]
fn columns_that_an_older_segment_lacks_read_as_empty() {
    let events = events(0..500, start(), Duration::from_secs(1));
    let disk = SimulatedDisk::new();
    let index = open(&disk);
    push_all(&index, &events);
    index.seal(SealWhat::All, start()).unwrap();
    drop(index);
    age(&disk);
    let index = open(&disk);
    assert_eq!(index.damaged(), []);
    let others: Vec<&Event> = events.iter().collect();
    let same = |filter: Filter| {
        let expected = events.iter().filter(|event| naive::matches(&filter, event, &others));
        assert_eq!(found(&index, &filter).len(), expected.count(), "{filter:?}");
    };
    // What it has is found as ever.
    same(Filter::Everything);
    same(contains(TextColumn::Subject, "invoice"));
    same(Filter::Number(NumberColumn::Code, 550..=550));
    same(Filter::Number(NumberColumn::Size, 1..=99_999));
    same(Filter::Not(Box::new(contains(TextColumn::From, "user1"))));
    // What it lacks is empty: absent, unequal to everything, equal to nothing.
    let count = |filter: Filter| found(&index, &filter).len();
    let lacking = [TextColumn::Policy, TextColumn::HostName, TextColumn::DisplayName];
    for column in lacking {
        assert_eq!(count(Filter::Has(Column::Text(column))), 0);
        assert_eq!(count(contains(column, "a")), 0);
        assert_eq!(count(text(column, TextMatch::Equals(String::new()))), 500);
    }
    assert_eq!(count(Filter::Number(NumberColumn::Wait, 1..=u64::MAX)), 0);
    assert_eq!(count(Filter::Not(Box::new(Filter::Has(Column::Word(WordColumn::Triplet))))), 500);
    let query = Query { filter: &Filter::Everything, times: ever(), stop: Stop::never() };
    let plan = TallyPlan {
        facets: vec![
            FacetBy::Text(TextColumn::Policy),
            FacetBy::Word(WordColumn::Triplet),
            FacetBy::Number(NumberColumn::Wait),
        ],
        ..TallyPlan::default()
    };
    for facet in index.tally(&query, &plan).unwrap().facets {
        assert_eq!((facet.empty, facet.values), (500, vec![]));
    }
    let order = Order { by: Column::Number(NumberColumn::Wait), direction: Direction::Ascending };
    let page = RowsPage { after: None, rows_max: 500 };
    assert_eq!(index.rows(&query, order, &page).unwrap().events, events);

    // Merged with a newer segment it stays what it was.
    let newer = super::events(500..900, start() + Duration::from_secs(500), Duration::from_secs(1));
    for event in &newer {
        index.push(Position(u64::MAX), Arc::new(event.clone()));
    }
    index.seal(SealWhat::All, start()).unwrap();
    assert_eq!(index.merge(start() + HOUR * 48).unwrap(), 2);
    let filter = Filter::Has(Column::Text(TextColumn::HostName));
    let expected = newer.iter().filter(|event| naive::matches(&filter, event, &[])).count();
    assert_eq!(found(&index, &filter).len(), expected);
    assert_eq!(found(&index, &Filter::Everything).len(), 900);
}
