declare module "upng-js" {
  interface Image {
    width: number;
    height: number;
  }
  export function decode(png: Uint8Array): Image;
  export function toRGBA8(image: Image): ArrayBuffer[];
  /** `colours`: 0 for all that there are. */
  export function encode(frames: (ArrayBuffer | undefined)[], width: number, height: number, colours: number): ArrayBuffer;
  const UPNG: { decode: typeof decode; toRGBA8: typeof toRGBA8; encode: typeof encode };
  export default UPNG;
}
