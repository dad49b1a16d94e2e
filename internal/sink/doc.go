// Package sink brings the audit log to where the records are watched and kept: a file, a web service, a collector of
// OpenTelemetry, a Kafka topic.
//
//	audit:
//	  sinks:
//	    - name: siem
//	      webhook: {url: https://siem.example.com/in, secret: env:SIEM_SECRET}
//	    - name: archive
//	      file: {path: /var/log/lakegate/audit.jsonl}
//
// Each sink is a follower of the log (trail.Follower), so it gets every record of its node in the order of the log, at
// least once: a delivery that is not known to have succeeded is made again, and a record that comes twice has the same
// eventID. What a receiver does not take waits in the log on the disk, for as long as it takes, up to the bound that the
// log has for its followers; nothing gathers in memory but one delivery. Beyond that bound a sink misses records, and gets
// one in their place that says how many (see missing.go).
//
// A sink drops no record by itself: one that its receiver refuses holds up those behind it, visibly in the metrics of
// followers, until the receiver takes it. There are two exceptions, both counted and told in the server's log: one record
// that alone is too large for the receiver is set aside in a file (aside.go); and a collector of OpenTelemetry may, by its
// protocol, reject some records of a delivery for good.
package sink
