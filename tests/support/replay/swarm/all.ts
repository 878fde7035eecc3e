/** All recordings of a swarm, and all their variants. */
import { readFrames } from "./frames.ts";
import { recordingFiles, type SwarmRecording } from "./recording.ts";
import { readTimeline } from "./timeline.ts";
import { ofOneSlot, slotsOf, withUsedAddresses } from "./variants.ts";

export async function allRecordings(): Promise<readonly SwarmRecording[]> {
  const frames = await Promise.all(recordingFiles("frames").map(readFrames));
  const recorded = [...frames, ...recordingFiles("timeline").map(readTimeline)];
  const slots = recorded.flatMap((one) => slotsOf(one).map((slot) => ofOneSlot(one, slot)));
  const whole = [...recorded, ...slots];
  return [...whole, ...whole.map(withUsedAddresses)];
}
