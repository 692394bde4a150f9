// Reads mails from the standard input, each after its length in four octets (big-endian), with two independent parsers.
// Prints for each mail one line of JSON: what each parser shows as subject, addresses, texts and files.
import { simpleParser } from "mailparser";
import PostalMime from "postal-mime";

const utf8 = (content) => Buffer.from(content || "").toString("utf8");
const faulty = (error) => ({ subject: "", from: [], texts: [], files: [], error: String(error) });

async function byPostalMime(octets) {
  const mail = await PostalMime.parse(octets);
  return {
    subject: mail.subject || "",
    from: mail.from?.address ? [mail.from.address] : [],
    texts: [mail.text || "", mail.html || "", ...mail.attachments.map((file) => utf8(file.content))],
    files: mail.attachments.map((file) => [file.filename || "", file.mimeType || ""]),
  };
}

async function byMailparser(octets) {
  const mail = await simpleParser(octets, { skipTextToHtml: true, skipHtmlToText: true, skipImageLinks: true });
  return {
    subject: mail.subject || "",
    from: (mail.from?.value || []).map((one) => one.address || ""),
    texts: [mail.text || "", mail.html || "", ...mail.attachments.map((file) => utf8(file.content))],
    files: mail.attachments.map((file) => [file.filename || "", file.contentType || ""]),
  };
}

const chunks = [];
for await (const chunk of process.stdin) chunks.push(chunk);
const input = Buffer.concat(chunks);
for (let at = 0; at < input.length; ) {
  const end = at + 4 + input.readUInt32BE(at);
  const octets = input.subarray(at + 4, end);
  const shown = {
    "postal-mime": await byPostalMime(octets).catch(faulty),
    mailparser: await byMailparser(octets).catch(faulty),
  };
  console.log(JSON.stringify(shown));
  at = end;
}
