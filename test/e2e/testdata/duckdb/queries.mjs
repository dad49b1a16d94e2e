// Runs SQL with DuckDB: reads an array of statements from its input and prints an array of what each of them answers.
import { text } from "node:stream/consumers";
import { DuckDBInstance } from "@duckdb/node-api";

const connection = await (await DuckDBInstance.create(":memory:")).connect();
const answers = [];
for (const statement of JSON.parse(await text(process.stdin))) {
  answers.push((await connection.runAndReadAll(statement)).getRowObjectsJson());
}
console.log(JSON.stringify(answers));
