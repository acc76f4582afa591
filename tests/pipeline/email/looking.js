// What a careful eye measures on an email: every piece of visible text with its size and contrasts, and every link.
(() => {
  const parse = (color) => {
    const [red, green, blue, alpha = 1] = color.match(/[\d.]+/g).map(Number);
    return { rgb: [red / 255, green / 255, blue / 255], alpha };
  };
  const groundOf = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const { rgb, alpha } = parse(getComputedStyle(at).backgroundColor);
      if (alpha === 1) return rgb;
    }
    return [1, 1, 1];
  };
  const luminance = (rgb) => {
    const [red, green, blue] = rgb.map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const contrast = (one, other) => {
    const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b);
    return (light + 0.05) / (dark + 0.05);
  };
  const lightness = (rgb) => (Math.max(...rgb) + Math.min(...rgb)) / 2;
  // Programs that make dark what is light turn lightness over and keep the hue.
  const turned = (rgb) => rgb.map((c) => c + 1 - 2 * lightness(rgb));
  const turnedIf = (rgb, wanted) => (wanted ? turned(rgb) : rgb);

  const texts = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !element.checkVisibility()) continue;
    const style = getComputedStyle(element);
    const [ink, ground] = [parse(style.color).rgb, groundOf(element)];
    texts.push({
      text: walker.currentNode.data.trim().slice(0, 40),
      size: parseFloat(style.fontSize),
      shown: contrast(ink, ground),
      allTurned: contrast(turned(ink), turned(ground)),
      lightTurned: contrast(turnedIf(ink, lightness(ink) < 0.5), turnedIf(ground, lightness(ground) > 0.5)),
    });
  }
  const links = [...document.links].map((link) => ({
    text: link.textContent.trim().slice(0, 40),
    height: link.getBoundingClientRect().height,
  }));
  const root = document.documentElement;
  return { texts, links, sideways: root.scrollWidth > root.clientWidth };
})();
