// Package eventfile writes audit records into files that others analyse, and reads them back from the files that trails
// deliver. It knows no other room: a record is its JSON.
//
// A Parquet file has one row a record, with the columns of the view in docs/audit-analytics.md: what questions are asked by
// most, each as a column of its own, and the whole record as JSON in the last. Rows are in the order in which they were
// given, in groups of bounded size, so that a writer holds no more than one group and a reader can leave groups out whose
// times it does not want.
package eventfile
