// The camera of the landing page, fetched when its button is pressed: reads a QR code and nothing else. No picture is kept
// or sent. The browser's own BarcodeDetector reads it, or else vendor/qr-decode.js (scripts/vendor-qr).

const SIDE = 640; // px: the square that is looked at; a QR that fills a third of it has 5 px a module
const PAUSE = 120; // ms between two looks: a phone's processor stays cool
const LONGEST = 120000; // ms; then the camera is off again

const reader = async (decoder) => {
  if ("BarcodeDetector" in window && (await BarcodeDetector.getSupportedFormats()).includes("qr_code")) {
    const detector = new BarcodeDetector({ formats: ["qr_code"] });
    return async (video) => (await detector.detect(video)).map((one) => one.rawValue);
  }
  const { decodeQR } = await import(decoder);
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = SIDE;
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  return (video) => {
    const side = Math.min(video.videoWidth, video.videoHeight);
    pen.drawImage(video, (video.videoWidth - side) / 2, (video.videoHeight - side) / 2, side, side, 0, 0, SIDE, SIDE);
    try { return [decodeQR(pen.getImageData(0, 0, SIDE, SIDE))]; } catch (_) { return []; } // none in this picture
  };
};

const why = (error, words) => {
  if (error.name === "NotAllowedError" || error.name === "SecurityError") return words.denied;
  return error.name === "NotFoundError" || error.name === "OverconstrainedError" ? words.none : words.failed;
};

// What `accept` makes of the first code that it takes; "" when stopped. `place`: the elements and words of landing.html.
export const read = async (place, accept) => {
  const words = place.dataset;
  const [start, view, video, stop, status] = ["[data-scan-start]", "[data-scan-view]", "video", "[data-scan-stop]", "[data-scan-status]"]
    .map((one) => place.querySelector(one));
  const say = (text) => { if (status.textContent !== text) status.textContent = text; };
  let isOn = true, stream = null, found = "";
  const end = () => { isOn = false; };
  const onKey = (event) => { if (event.key === "Escape") end(); };
  const onHide = () => { if (document.hidden) end(); };
  start.hidden = true;
  view.hidden = false;
  stop.focus();
  stop.addEventListener("click", end);
  document.addEventListener("keydown", onKey);
  say(words.asking);
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment", width: { ideal: 1280 } }, audio: false });
    const [track] = stream.getVideoTracks();
    track.addEventListener("ended", end);
    document.addEventListener("visibilitychange", onHide);
    // A camera that looks at the person is a mirror; a computer's doesn't say where it looks.
    const facing = track.getSettings().facingMode || (matchMedia("(pointer: fine)").matches ? "user" : "");
    view.classList.toggle("mirror", facing === "user");
    video.srcObject = stream;
    await video.play();
    const look = await reader(words.decoder);
    const due = performance.now() + LONGEST;
    if (isOn) say(words.looking);
    while (isOn && !found && performance.now() < due) {
      const texts = video.readyState >= 2 ? await look(video) : [];
      found = isOn ? texts.map(accept).find(Boolean) || "" : "";
      if (texts.length && !found) say(words.other);
      if (!found) await new Promise((resolve) => setTimeout(resolve, PAUSE));
    }
    say("");
  } catch (error) {
    say(isOn ? why(error, words) : "");
  }
  if (stream) for (const track of stream.getTracks()) track.stop();
  video.srcObject = null;
  stop.removeEventListener("click", end);
  document.removeEventListener("keydown", onKey);
  document.removeEventListener("visibilitychange", onHide);
  view.hidden = true;
  start.hidden = false;
  return found;
};
