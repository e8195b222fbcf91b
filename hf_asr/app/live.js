// The microphone of the Live tab; gradio runs this with `element` (the tab's HTML) and `server` (Python functions).
// gradio's own streaming keeps one waiting chunk and drops the others when the computer is slow. Here all the sound
// since the last answer goes with the next question, so none is lost and a slow computer is only asked less often.
const button = element.querySelector("button");
const level = element.querySelector(".asr-level i");
const clock = element.querySelector(".asr-clock");
const text = element.querySelector(".asr-live");
const whole = element.querySelector(".asr-whole");
const PAUSE = 250; // ms between an answer and the next question
const TAP = `registerProcessor("tap", class extends AudioWorkletProcessor {
  process([input]) { if (input[0]) this.port.postMessage(input[0].slice()); return true; }
});`;
let recording = null;

function wav(parts, rate) {
  // 16-bit mono, as a file with its 44-byte header
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const view = new DataView(new ArrayBuffer(44 + 2 * length));
  const fields = [[0, "RIFF"], [4, 36 + 2 * length, 4], [8, "WAVEfmt "], [16, 16, 4], [20, 1, 2], [22, 1, 2],
    [24, rate, 4], [28, 2 * rate, 4], [32, 2, 2], [34, 16, 2], [36, "data"], [40, 2 * length, 4]];
  for (const [at, value, bytes] of fields) {
    if (bytes === 4) view.setUint32(at, value, true);
    else if (bytes === 2) view.setUint16(at, value, true);
    else [...value].forEach((letter, n) => view.setUint8(at + n, letter.charCodeAt(0)));
  }
  let at = 44;
  for (const part of parts) for (const x of part) {
    view.setInt16(at, Math.max(-1, Math.min(1, x)) * 32767, true);
    at += 2;
  }
  return new Blob([view]);
}

function base64(blob) {
  return new Promise((done) => {
    const reader = new FileReader();
    reader.onload = () => done(reader.result.split(",")[1]);
    reader.readAsDataURL(blob);
  });
}

function say(message) {
  const line = document.createElement("p");
  line.className = "asr-problem";
  line.setAttribute("role", "alert");
  line.textContent = message;
  text.replaceChildren(line);
}

async function open() {
  const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
  const context = new AudioContext();
  const module = URL.createObjectURL(new Blob([TAP], { type: "text/javascript" }));
  await context.audioWorklet.addModule(module);
  URL.revokeObjectURL(module);
  const tap = new AudioWorkletNode(context, "tap", { numberOfOutputs: 0 });
  const mine = { session: crypto.randomUUID(), rate: context.sampleRate, parts: [], heard: 0, on: true };
  tap.port.onmessage = ({ data }) => {
    if (!mine.on) return;
    mine.parts.push(data);
    mine.heard += data.length;
    mine.newest = performance.now();
    level.style.width = `${Math.min(100, 250 * Math.max(...data.map(Math.abs)))}%`;
    const seconds = Math.floor(mine.heard / mine.rate);
    clock.textContent = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
  };
  context.createMediaStreamSource(stream).connect(tap);
  mine.close = () => { mine.on = false; stream.getTracks().forEach((track) => track.stop()); context.close(); };
  return mine;
}

async function listen(mine) {
  while (mine.on || mine.parts.length) {
    await new Promise((done) => setTimeout(done, mine.on ? PAUSE : 0));
    const parts = mine.parts.splice(0), newest = mine.newest;
    if (!parts.length) continue;
    const answer = await server.hear({ session: mine.session, sound: await base64(wav(parts, mine.rate)) });
    if (answer.html) text.innerHTML = answer.html; // escaped by the server
    const late = text.querySelector(".asr-late");
    if (late && answer.html) late.textContent = ((performance.now() - newest) / 1000).toFixed(1);
    if (answer.full) stop(mine);
  }
  whole.innerHTML = (await server.finish({ session: mine.session, begin: true })).html;
  whole.innerHTML = (await server.finish({ session: mine.session })).html;
}

function stop(mine) {
  mine.close();
  button.textContent = "Record";
  button.setAttribute("aria-pressed", "false");
  level.style.width = 0;
}

button.addEventListener("click", async () => {
  if (recording && recording.on) return stop(recording);
  if (recording) return; // still reading the last one
  button.disabled = true;
  try {
    recording = await open();
  } catch (error) {
    const remedy = window.isSecureContext ? "allow it in the browser" : "browsers give it to https and localhost only";
    say(`No microphone: ${remedy}.`);
    return;
  } finally {
    button.disabled = false;
  }
  button.textContent = "Stop";
  button.setAttribute("aria-pressed", "true");
  whole.replaceChildren();
  text.replaceChildren();
  try {
    await listen(recording);
  } catch (error) {
    stop(recording);
    say("The computer that serves this page no longer answers.");
  }
  recording = null;
});
