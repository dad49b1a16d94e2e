// Does with the AWS SDK for JavaScript what a data application in JavaScript does: asks what its person may reach, gets
// credentials for it, and uses them in every way that the SDK has for objects. It prints "ok" when all went as it should.
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { Agent } from "node:http";
import { Readable } from "node:stream";
import {
  CopyObjectCommand, DeleteObjectsCommand, GetObjectCommand, HeadObjectCommand, ListObjectsV2Command, PutObjectCommand, S3Client,
  paginateListObjectsV2,
} from "@aws-sdk/client-s3";
import { GetDataAccessCommand, S3ControlClient, paginateListCallerAccessGrants } from "@aws-sdk/client-s3-control";
import { Upload } from "@aws-sdk/lib-storage";
import { createPresignedPost } from "@aws-sdk/s3-presigned-post";
import { getSignedUrl } from "@aws-sdk/s3-request-presigner";

const { ENDPOINT: endpoint, ACCOUNT: AccountId, BUCKET: Bucket, PREFIX: prefix, REFUSED: refused } = process.env;
const common = { endpoint, region: "us-east-1", maxAttempts: 1 };

// This client writes the account before the host, so the host is a name, which not every machine's resolver knows below
// localhost.
const httpAgent = new Agent({ lookup: (_host, options, found) => (options.all ? found(null, [{ address: "127.0.0.1", family: 4 }]) : found(null, "127.0.0.1", 4)) });
const control = new S3ControlClient({ ...common, endpoint: endpoint.replace("127.0.0.1", "localhost"), requestHandler: { httpAgent } });
const scopes = [];
for await (const page of paginateListCallerAccessGrants({ client: control, pageSize: 1 }, { AccountId, AllowedByApplication: false })) {
  scopes.push(...(page.CallerAccessGrantsList ?? []).map((g) => g.GrantScope));
}
assert.ok(scopes.includes(`s3://${Bucket}/${prefix}*`), `may reach ${scopes}`);

const { Credentials: c } = await control.send(
  new GetDataAccessCommand({ AccountId, Target: `s3://${Bucket}/${prefix}*`, Permission: "READWRITE", DurationSeconds: 900 }),
);
const credentials = { accessKeyId: c.AccessKeyId, secretAccessKey: c.SecretAccessKey, sessionToken: c.SessionToken, expiration: c.Expiration };
const s3 = new S3Client({ ...common, forcePathStyle: true, credentials });

const at = (name) => ({ Bucket, Key: prefix + name });
const text = async (name, more = {}) => (await s3.send(new GetObjectCommand({ ...at(name), ...more }))).Body.transformToString();
const sha = (bytes) => createHash("sha256").update(bytes).digest("hex");
const denied = async (promise) => assert.rejects(promise, (e) => {
  assert.equal(e.$metadata.httpStatusCode, 403, e);
  assert.ok(["AccessDenied", "Forbidden", "Unknown"].includes(e.name), e.name);
  return true;
});

// Objects, with each checksum that the SDK computes in JavaScript.
for (const ChecksumAlgorithm of ["CRC32", "CRC32C", "SHA1", "SHA256"]) {
  await s3.send(new PutObjectCommand({ ...at(`sum-${ChecksumAlgorithm}`), Body: "text", ChecksumAlgorithm }));
  assert.equal(await text(`sum-${ChecksumAlgorithm}`, { ChecksumMode: "ENABLED" }), "text");
}
await s3.send(new PutObjectCommand({ ...at("ä + b&c.txt"), Body: "häßlich", ContentType: "text/plain", Metadata: { colour: "red" } }));
const head = await s3.send(new HeadObjectCommand(at("ä + b&c.txt")));
assert.deepEqual([head.ContentType, head.Metadata, head.ContentLength], ["text/plain", { colour: "red" }, 9]);
assert.equal(await text("ä + b&c.txt", { Range: "bytes=1-2" }), "ä");

// A stream whose checksum comes behind it, and one of unknown length in parts.
await s3.send(new PutObjectCommand({ ...at("stream"), Body: Readable.from([Buffer.from("one "), Buffer.from("two")]), ContentLength: 7 }));
assert.equal(await text("stream"), "one two");
const large = randomBytes(12 << 20);
await new Upload({ client: s3, partSize: 5 << 20, params: { ...at("large"), Body: Readable.from([large.subarray(0, 7 << 20), large.subarray(7 << 20)]) } }).done();
const back = await (await s3.send(new GetObjectCommand(at("large")))).Body.transformToByteArray();
assert.equal(sha(back), sha(large));

// URLs and forms for a browser.
const signed = await getSignedUrl(s3, new GetObjectCommand(at("stream")), { expiresIn: 60 });
assert.equal(await (await fetch(signed)).text(), "one two");
assert.equal((await fetch(signed.replace("stream", "large"))).status, 403);
const { url, fields } = await createPresignedPost(s3, { Bucket, Key: `${prefix}form`, Conditions: [["content-length-range", 1, 10]], Expires: 60 });
const form = (content) => {
  const f = new FormData();
  for (const [name, value] of Object.entries(fields)) f.append(name, value);
  f.append("file", new Blob([content]));
  return fetch(url, { method: "POST", body: f });
};
assert.equal((await form("from a form that is too long")).status, 400);
assert.equal((await form("from form")).status, 204);
assert.equal(await text("form"), "from form");

// Copies, pages, and a batch of deletions.
await s3.send(new CopyObjectCommand({ ...at("copy"), CopySource: encodeURI(`${Bucket}/${prefix}ä + b&c.txt`).replaceAll("+", "%2B") }));
assert.equal(await text("copy"), "häßlich");
const keys = [];
for await (const page of paginateListObjectsV2({ client: s3, pageSize: 3 }, { Bucket, Prefix: prefix })) keys.push(...page.Contents.map((o) => o.Key));
assert.deepEqual(keys, ["copy", "form", "large", "stream", "sum-CRC32", "sum-CRC32C", "sum-SHA1", "sum-SHA256", "ä + b&c.txt"].map((k) => prefix + k));
const gone = await s3.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects: [...keys, refused].map((Key) => ({ Key })) } }));
assert.equal(gone.Deleted.length, keys.length);
assert.deepEqual(gone.Errors.map((e) => [e.Key, e.Code]), [[refused, "AccessDenied"]]);

// And nothing else.
await denied(s3.send(new GetObjectCommand({ Bucket, Key: refused })));
await denied(s3.send(new HeadObjectCommand({ Bucket, Key: refused })));
await denied(s3.send(new PutObjectCommand({ Bucket, Key: refused, Body: "x" })));
await denied(s3.send(new CopyObjectCommand({ ...at("stolen"), CopySource: `${Bucket}/${refused}` })));
await denied(s3.send(new ListObjectsV2Command({ Bucket, Prefix: refused })));
await denied(control.send(new GetDataAccessCommand({ AccountId, Target: `s3://${Bucket}/${refused}`, TargetType: "Object", Permission: "READ" })));
console.log("ok");
