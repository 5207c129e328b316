// Asking the server: JSON, and arrays as the server packs them.

const KINDS = { f4: Float32Array, f8: Float64Array, i4: Int32Array, u1: Uint8Array };

async function ask(path, signal) {
  let answer;
  try {
    answer = await fetch(path, { signal });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("The server does not answer: has aucli view ended?");
  }
  if (!answer.ok) {
    const said = await answer.json().catch(() => ({}));
    throw new Error(said.error || `${answer.status} ${answer.statusText}`);
  }
  return answer;
}

export async function askJson(path, signal) {
  return (await ask(path, signal)).json();
}

/** {...header, arrays: {name: {data, shape}}} */
export async function askPacked(path, signal) {
  return unpack(await (await ask(path, signal)).arrayBuffer());
}

export async function askStream(path, signal) {
  return (await ask(path, signal)).body.getReader();
}

export function unpack(buffer) {
  const length = new DataView(buffer).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  const arrays = {};
  for (const [name, { type, shape, offset }] of Object.entries(header.arrays)) {
    const count = shape.reduce((product, side) => product * side, 1);
    arrays[name] = { data: new KINDS[type](buffer, 4 + length + offset, count), shape };
  }
  return { ...header, arrays };
}
