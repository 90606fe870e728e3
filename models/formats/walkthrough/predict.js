// Predicting: the number is covered until its sign and size have been guessed.

const score = [0, 0];  // right guesses, and all
let revealed = '';
const moment = () => `${state.f} ${state.n} ${state.c} ${state.back}`;
const covered = () => state.guess && revealed !== moment();

function guessing(x) {
  const answer = (sign, size) => {
    const power = [0.01, 1].filter((bound) => Math.abs(x) >= bound).length;
    const right = sign === Math.sign(x) && (sign === 0 || size === power);
    score[0] += right ? 1 : 0;
    score[1]++;
    revealed = moment();
    draw();
    const words = `${right ? 'Right' : 'Not so'}: ${score[0]} of ${score[1]} guesses were right.`;
    $('why').prepend(el('p', {class: right ? 'right' : 'wrong'}, words));
  };
  const button = (words, sign, size) => el('button', {on: () => answer(sign, size)}, words);
  const three =
      (sign, mark) => ['below 0.01', '0.01 to 1', '1 or more'].map((words, size) => button(mark + words, sign, size));
  const asked = paragraph('What will it be? Sign and size:');
  return el('div', {class: 'guess'}, asked, three(-1, '− '), button('exactly 0', 0, 0), three(1, '+ '));
}
