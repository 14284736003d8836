export interface Task { module: Uint8Array; identity: Uint8Array; hasStart: boolean; needsFreshInstance: boolean; pagesMin: number; args: string[]; environment: string[]; input: Uint8Array; files: { path: string; content: Uint8Array }[]; seed: bigint; fuelLimit: bigint; memoryPagesMax: number; outputBytesMax: number; resume: Uint8Array }
export interface Result { end: number; exitCode: number; fuel: bigint; memoryBytes: number; comparable: boolean; trace: Uint8Array; message: string; errors: string; output: Uint8Array }
export interface Pace { rest(): Promise<void> | undefined }
export async function run(_task: Task, _pace?: Pace): Promise<Result> { throw new Error('not yet'); }
